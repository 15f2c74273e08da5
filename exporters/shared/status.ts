/** The agent's status: the response of /status, which `portlight status` prints. */

import { VERSION } from '../../config/version.ts';
import type { Exporter } from './exporter.ts';
import type { OwnMetric, Telemetry } from './telemetry.ts';

/** The delivery of one signal to one destination, counted since the agent started. */
export interface DeliveryStatus {
  readonly signal: string;
  readonly destination: string;
  readonly spooled: number;
  readonly sent: number;
  /** OTLP bytes. */
  readonly sentBytes: number;
  readonly retries: number;
  /** Records, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly waitingBytes: number;
  /** Age of the oldest waiting batch, s; null when nothing waits. */
  readonly oldestAge: number | null;
}

export interface DaemonStatus {
  /** `docker.daemon.name`; null for a daemon without a name. */
  readonly name: string | null;
  /** Its address. */
  readonly host: string;
  /** Whether the agent is subscribed to its events. */
  readonly connected: boolean;
  /** Number of observed containers. */
  readonly containers: number;
}

export interface Status {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
  readonly daemons: readonly DaemonStatus[];
  /** Records that collectors produced, by signal. */
  readonly collected: Readonly<Record<string, number>>;
  readonly destinations: readonly { readonly name: string; readonly reachable: boolean }[];
  readonly deliveries: readonly DeliveryStatus[];
  /** Records that were dropped before they reached any destination, by `signal: reason`. */
  readonly dropped: Readonly<Record<string, number>>;
}

export function createStatus(
  telemetry: Telemetry,
  exporters: readonly Exporter[],
  daemons: readonly DaemonStatus[],
  since: Date,
): Status {
  const counted = (metric: OwnMetric, signal: string, destination: string): number => {
    for (const { attributes, value } of telemetry.counterSeries(metric))
      if (attributes.signal === signal && attributes.destination === destination) return value;
    return 0;
  };
  const dropped = [...telemetry.counterSeries('portlight.records.dropped')];
  const known = exporters.flatMap((exporter) => {
    const status = exporter.status?.();
    return status === undefined ? [] : [{ name: exporter.name, status }];
  });
  return {
    version: VERSION,
    pid: process.pid,
    since: since.toISOString(),
    daemons,
    collected: Object.fromEntries(
      [...telemetry.counterSeries('portlight.records.collected')].map(({ attributes, value }) => [
        attributes.signal!,
        value,
      ]),
    ),
    destinations: known.map(({ name, status }) => ({ name, reachable: status.isReachable })),
    deliveries: known.flatMap(({ name, status }) =>
      status.waiting.map(({ signal, bytes, oldest }) => ({
        signal,
        destination: name,
        spooled: counted('portlight.records.spooled', signal, name),
        sent: counted('portlight.records.sent', signal, name),
        sentBytes: counted('portlight.exporter.sent', signal, name),
        retries: counted('portlight.exporter.retries', signal, name),
        dropped: Object.fromEntries(
          dropped
            .filter(({ attributes }) => attributes.signal === signal && attributes.destination === name)
            .map(({ attributes, value }) => [attributes.reason!, value]),
        ),
        waitingBytes: bytes,
        oldestAge: oldest === undefined ? null : Math.max(0, (Date.now() - oldest) / 1000),
      })),
    ),
    dropped: Object.fromEntries(
      dropped
        .filter(({ attributes }) => attributes.destination === 'all')
        .map(({ attributes, value }) => [`${attributes.signal}: ${attributes.reason}`, value]),
    ),
  };
}
