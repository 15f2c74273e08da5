/** The agent's own gauges, observed whenever they are exported. */

import type { Exporter } from '../../exporters/shared/exporter.ts';
import type { Telemetry } from '../../exporters/shared/telemetry.ts';

interface DaemonState {
  readonly name: string | undefined;
  readonly connected: boolean;
}

export function observeGauges(
  telemetry: Telemetry,
  exporters: readonly Exporter[],
  daemons: readonly DaemonState[],
): void {
  const backlogs = () =>
    exporters.flatMap((exporter) =>
      (exporter.status?.().waiting ?? []).map(({ signal, bytes, oldest }) => ({
        attributes: { signal, destination: exporter.name },
        bytes,
        ageSeconds: oldest === undefined ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
      })),
    );
  telemetry.observeGauge('portlight.spool.size', () =>
    backlogs().map(({ attributes, bytes }) => ({ attributes, value: bytes })),
  );
  telemetry.observeGauge('portlight.spool.age', () =>
    backlogs().map(({ attributes, ageSeconds }) => ({ attributes, value: ageSeconds })),
  );
  telemetry.observeGauge('portlight.daemon.connected', () =>
    daemons.map(({ name = '', connected }) => ({
      attributes: (name === '' ? {} : { 'docker.daemon.name': name }) as Record<string, string>,
      value: connected ? 1 : 0,
    })),
  );
}
