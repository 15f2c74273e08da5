/** Messages of /api/stream. */
import type { ContainerFigures, ContainerSummary, Containers } from './containers.ts';
import type { Alerts, EventEntry } from './events.ts';
import type { HostFigures } from './host.ts';
import type { LogEntry } from './logs.ts';

/** The messages of `/api/stream`: `event:` is the key, `data:` the value as JSON. */
export interface Messages {
  /** The complete state; the first message of each connection. */
  snapshot: Containers &
    Alerts & {
      readonly version: string;
      /** Name of the host. */
      readonly host: string;
      readonly hostFigures: HostFigures | null;
      readonly connected: boolean;
    };
  /** Every 15 s: a client that receives nothing for much longer has lost its connection. */
  beat: Readonly<Record<string, never>>;
  /** After each measurement. */
  figures: {
    readonly time: number;
    readonly figures: Readonly<Record<string, ContainerFigures>>;
    readonly host: HostFigures | null;
  };
  /** A container that is new, or whose state has changed. */
  container: ContainerSummary;
  /** A container that is no longer shown. */
  forgotten: { readonly id: string };
  event: EventEntry;
  alerts: Alerts;
  /** New lines of followed containers; `skipped` lines exceeded the rate limit. */
  lines: { readonly lines: readonly LogEntry[]; readonly skipped: number };
  /** Whether the agent is connected to its daemon. */
  daemon: { readonly connected: boolean };
}
