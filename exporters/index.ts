/** The exporters by name; a new one is added here. */
import type { Telemetry } from '../agent/telemetry.ts';
import type { exporterNames } from '../config/schema.ts';
import type { Exporter } from './exporter.ts';

type ExporterName = (typeof exporterNames)[number];

/** Each is imported only when it is used. */
const factories: Readonly<Record<ExporterName, (telemetry: Telemetry) => Promise<Exporter>>> = {
  async console() {
    const { ConsoleExporter } = await import('./console/index.ts');
    return new ConsoleExporter();
  },
  async otlp(telemetry) {
    const [{ OtlpExporter }, { protocolOf }] = await Promise.all([
      import('./otlp/index.ts'),
      import('./otlp/environment.ts'),
    ]);
    return OtlpExporter.create(
      { logs: protocolOf('logs'), metrics: protocolOf('metrics'), traces: protocolOf('traces') },
      telemetry,
    );
  },
};

export function createExporters(names: readonly ExporterName[], telemetry: Telemetry): Promise<Exporter[]> {
  return Promise.all([...new Set(names)].map((name) => factories[name](telemetry)));
}
