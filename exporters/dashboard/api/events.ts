/** Events and alerts. */
import type { Alert } from '../../alerts/alert.ts';

export interface EventEntry {
  /** Increases with each event while the agent runs. */
  readonly sequence: number;
  readonly time: number;
  /** `docker.container.die` */
  readonly name: string;
  readonly severity: number;
  /** One sentence. */
  readonly body: string;
  /** Null for events of the host, its daemon, images, volumes and networks. */
  readonly container: { readonly id: string; readonly name: string } | null;
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
}

export interface Events {
  /** Oldest first. */
  readonly events: readonly EventEntry[];
}

/** An alert in short, as shown beside its container. */
export interface AlertMark {
  readonly rule: string;
  readonly severity: Alert['severity'];
  readonly status: Alert['status'];
  readonly summary: string;
}

export interface AlertEntry extends Omit<Alert, 'startsAt' | 'endsAt' | 'resource'> {
  readonly startsAt: number;
  readonly endsAt: number | null;
}

export interface Alerts {
  readonly time: number;
  readonly alerts: readonly AlertEntry[];
}
