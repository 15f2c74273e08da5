import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveAlertmanagers, resolveWebhooks } from '../config/alert-receivers.ts';
import { resolveDestinations } from '../config/destinations.ts';
import type { Config } from '../config/schema.ts';
import type { Exporter } from './shared/exporter.ts';
import type { Telemetry } from './shared/telemetry.ts';

interface ExporterContext {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** The directory of all spools. */
  readonly directory: string;
}

interface ExporterKind {
  /**
   * One function for each exporter of this kind that the configuration asks for. Each imports its module when
   * it is called, so that an unused exporter costs no memory.
   * @throws {Error} naming the mistake in the configuration
   */
  readonly creators: (context: ExporterContext) => readonly (() => Promise<Exporter>)[];
  /** Whether the configuration has exporters of this kind that use the directory of all spools. */
  readonly usesSpool: (config: Config) => boolean;
}

/** All kinds of exporters, in the order in which they get batches. To add an exporter, add a row. */
const exporterKinds: readonly ExporterKind[] = [
  {
    creators: ({ config }) =>
      config.exporter.includes('console')
        ? [async () => new (await import('./console/index.ts')).ConsoleExporter()]
        : [],
    usesSpool: () => false,
  },
  {
    creators({ config, telemetry, directory }) {
      const destinations = resolveDestinations(config);
      // With several destinations, an unreachable one must not hold up the logs for the others.
      const logsWait = destinations.length === 1;
      return destinations.map((destination) => async () => {
        const { OtlpExporter } = await import('./otlp/index.ts');
        return OtlpExporter.create(destination, directory, logsWait, telemetry);
      });
    },
    usesSpool: ({ exporter }) => exporter.includes('otlp'),
  },
  {
    creators: ({ config: { alerts }, telemetry }) =>
      resolveAlertmanagers(alerts).map((endpoint) => async () => {
        const { AlertmanagerExporter } = await import('./alertmanager/index.ts');
        return AlertmanagerExporter.create(endpoint, alerts.alertmanager.resend, telemetry);
      }),
    usesSpool: () => false,
  },
  {
    creators: ({ config, telemetry, directory }) =>
      resolveWebhooks(config).map((webhook) => async () => {
        const { WebhookExporter } = await import('./webhook/index.ts');
        return WebhookExporter.create(webhook, directory, telemetry);
      }),
    usesSpool: ({ alerts }) => Object.keys(alerts.webhooks).length > 0,
  },
];

/** Batches for a destination that is no longer configured stay in its spool: nothing else deletes them. */
function warnAboutUnusedSpools(
  directory: string,
  exporters: readonly Exporter[],
  telemetry: Telemetry,
): void {
  const configured = new Set(exporters.map(({ name }) => name));
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names.filter((one) => !configured.has(one)))
    telemetry.warn(
      `${join(directory, name)}: this spool is of a destination that is not configured; to send what waits in it, configure the destination again; otherwise remove the directory`,
    );
}

/**
 * Creates the exporters that the configuration asks for.
 * @throws {Error} naming the mistake in the configuration, or the file that cannot be read
 */
export async function createExporters(config: Config, telemetry: Telemetry): Promise<Exporter[]> {
  const directory = join(config.data_dir, 'spool');
  const creators = exporterKinds.flatMap((kind) => kind.creators({ config, telemetry, directory }));
  const results = await Promise.allSettled(creators.map((create) => create()));
  const exporters = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(exporters.map((exporter) => exporter.shutdown(AbortSignal.abort())));
    throw failed.reason;
  }
  if (exporterKinds.some((kind) => kind.usesSpool(config)))
    warnAboutUnusedSpools(directory, exporters, telemetry);
  return exporters;
}
