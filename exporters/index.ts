/** The exporters by name; a new one is added here. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Telemetry } from '../agent/telemetry.ts';
import { type Destination, destinationsOf } from '../config/destinations.ts';
import type { Config, exporterNames } from '../config/schema.ts';
import type { Exporter } from './exporter.ts';

type ExporterName = (typeof exporterNames)[number];

/** Each is imported only when it is used. */
const factories: Readonly<
  Record<ExporterName, (config: Config, telemetry: Telemetry) => Promise<Exporter[]>>
> = {
  async console() {
    const { ConsoleExporter } = await import('./console/index.ts');
    return [new ConsoleExporter()];
  },
  async otlp(config, telemetry) {
    const { OtlpExporter } = await import('./otlp/index.ts');
    const directory = join(config.data_dir, 'spool');
    const destinations = destinationsOf(config);
    tellOfOthers(directory, destinations, telemetry);
    // One that is away must not hold up what another takes.
    const logsWait = destinations.length === 1;
    const exporters: Exporter[] = [];
    try {
      for (const destination of destinations)
        exporters.push(await OtlpExporter.create(destination, directory, logsWait, telemetry));
    } catch (error) {
      for (const exporter of exporters) await exporter.stop(AbortSignal.abort());
      throw error;
    }
    return exporters;
  },
};

/** What waits for a destination that is configured no more waits for ever. */
function tellOfOthers(directory: string, destinations: readonly Destination[], telemetry: Telemetry): void {
  const known = new Set(destinations.map(({ name }) => name));
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names.filter((one) => !known.has(one)))
    telemetry.warn(
      `${join(directory, name)}: is of a destination that is not configured; configure it again to have what waits sent, or remove the directory`,
    );
}

/** @throws {Error} naming what the configuration names and cannot be had */
export async function createExporters(config: Config, telemetry: Telemetry): Promise<Exporter[]> {
  const all = await Promise.all(
    [...new Set(config.exporter)].map((name) => factories[name](config, telemetry)),
  );
  return all.flat();
}
