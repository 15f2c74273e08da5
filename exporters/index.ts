/** The exporters that the configuration asks for; a new one is added here. Each is imported only when it is used. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveAlertmanagers, resolveWebhooks } from '../config/alert-receivers.ts';
import { resolveDestinations } from '../config/destinations.ts';
import type { Config } from '../config/schema.ts';
import type { Exporter } from './shared/exporter.ts';
import type { Telemetry } from './shared/telemetry.ts';

/** What is to be made. @throws {Error} naming what is wrong in the configuration */
function makings(config: Config, telemetry: Telemetry, directory: string): (() => Promise<Exporter>)[] {
  const { exporter, alerts } = config;
  const destinations = resolveDestinations(config);
  // One that is away must not hold up what another takes.
  const logsWait = destinations.length === 1;
  return [
    ...(exporter.includes('console')
      ? [async () => new (await import('./console/index.ts')).ConsoleExporter()]
      : []),
    ...destinations.map((destination) => async () => {
      const { OtlpExporter } = await import('./otlp/index.ts');
      return OtlpExporter.create(destination, directory, logsWait, telemetry);
    }),
    ...resolveAlertmanagers(alerts).map((endpoint) => async () => {
      const { AlertmanagerExporter } = await import('./alertmanager/index.ts');
      return AlertmanagerExporter.create(endpoint, alerts.alertmanager.resend, telemetry);
    }),
    ...resolveWebhooks(config).map((webhook) => async () => {
      const { WebhookExporter } = await import('./webhook/index.ts');
      return WebhookExporter.create(webhook, directory, telemetry);
    }),
  ];
}

/** What waits for a destination that is configured no more waits for ever. */
function tellOfOthers(directory: string, exporters: readonly Exporter[], telemetry: Telemetry): void {
  const known = new Set(exporters.map(({ name }) => name));
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names.filter((one) => !known.has(one)))
    telemetry.warn(
      `${join(directory, name)}: is of a destination that is not configured; configure it again to have what waits sent, or remove the directory`,
    );
}

/** @throws {Error} naming what the configuration names and cannot be had */
export async function createExporters(config: Config, telemetry: Telemetry): Promise<Exporter[]> {
  const directory = join(config.data_dir, 'spool');
  const made = await Promise.allSettled(makings(config, telemetry, directory).map((make) => make()));
  const exporters = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = made.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(exporters.map((exporter) => exporter.shutdown(AbortSignal.abort())));
    throw failed.reason;
  }
  if (config.exporter.includes('otlp') || exporters.some(({ name }) => name.startsWith('webhook.')))
    tellOfOthers(directory, exporters, telemetry);
  return exporters;
}
