/**
 * What the agent answers under /api: JSON to GET requests, and server-sent events at /api/stream. Times are milliseconds
 * since the Unix epoch, durations milliseconds, sizes bytes, CPU in CPUs (1 is one whole CPU), rates per second. What
 * is not known, or what a host cannot give, is null.
 *
 * | path | answer | query |
 * | --- | --- | --- |
 * | /api/containers | `Containers` | |
 * | /api/container | `ContainerDetails` | `id` |
 * | /api/series | `SeriesAnswer` | `id` (repeatable), `metric` (repeatable; all by default), `since` |
 * | /api/logs | `Logs` | `id` (repeatable; all by default), `since`, `until`, `grep`, `severity`, `limit` |
 * | /api/events | `Events` | `id` (repeatable; all by default), `since`, `grep`, `severity`, `limit`, `exec` |
 * | /api/alerts | `Alerts` | |
 * | /api/namespaces | `NamespaceMap` | |
 * | /api/images | `Images` | |
 * | /api/image | `ImageDetails` | `id` |
 * | /api/host | `Host` | |
 * | /api/host/series | `SeriesAnswer` with the one id '' | `metric` (repeatable), `since` |
 * | /api/agent | `Agent` | |
 * | /api/login | `{}`, and a cookie in the token's place, for browsers | |
 * | /api/stream | messages, see `Messages` | `follow` (repeatable): containers whose lines are wanted; `*` for all |
 *
 * `id` takes a container's id, an unambiguous beginning of it, or its name. `since` and `until` are times; `grep` is
 * text without regard to case, or, where it has any of `\^$.*+?()[]{}|` and is one, a regular expression (without
 * look-around and back-references); `severity` the least OpenTelemetry severity number (9 INFO, 13 WARN, 17 ERROR);
 * `limit` how many of the newest; `exec=true` has the events too that are left out otherwise: of docker exec, which
 * health checks cause by the thousand, and of what the agent found when it began. A mistake is answered with status
 * 400, an unknown id with 404, what the daemon does not give just now with 503, a missing token with 401, a foreign Host or Origin with 403, and `Failure` as body.
 *
 * Where the agent listens beyond loopback, `Authorization: Bearer <token>` is required; the token is the text of the
 * file `token` in data_dir (exporters/server/token.ts).
 */
import type { Alert } from '../alerts/alert.ts';
import type { Status } from '../shared/status.ts';

export interface Failure {
  readonly error: string;
}

/** What a container used when it was last looked at. */
export interface Figures {
  /** When that was. */
  readonly time: number;
  /** CPUs in use. */
  readonly cpu: number | null;
  /** CPUs that the quota allows. */
  readonly cpuLimit: number | null;
  /** Share of the CPU periods since the look before in which the quota was used up; 0 to 1. */
  readonly throttled: number | null;
  /** Working set, which is what `docker stats` shows. */
  readonly memory: number | null;
  readonly memoryLimit: number | null;
  /** Bytes a second over all interfaces. */
  readonly receive: number | null;
  readonly transmit: number | null;
  /** Bytes a second over all devices. */
  readonly read: number | null;
  readonly write: number | null;
  readonly pids: number | null;
  readonly pidsLimit: number | null;
}

/** An alert in short, beside its container. */
export interface AlertMark {
  readonly rule: string;
  readonly severity: Alert['severity'];
  readonly status: Alert['status'];
  readonly summary: string;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** Reference as the user gave it. */
  readonly image: string;
  /** Compose project, or Swarm stack. */
  readonly project: string | null;
  /** Compose or Swarm service. */
  readonly service: string | null;
  /** created, running, paused, restarting, removing, exited, dead; `removed` of one that exists no more. */
  readonly status: string;
  /** starting, healthy or unhealthy; null without a health check. */
  readonly health: string | null;
  /** Restarts by the restart policy. */
  /** Null where there is no daemon to know it. */
  readonly restarts: number | null;
  /** Of the last run; null while it runs, and when it never ran. */
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly createdAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Null when it does not run, or was not looked at yet. */
  readonly figures: Figures | null;
  /** Pending and firing ones. */
  readonly alerts: readonly AlertMark[];
}

export interface Containers {
  readonly time: number;
  /** Time from one look at the figures to the next. */
  readonly interval: number;
  readonly containers: readonly ContainerSummary[];
}

/** One namespace that a container lives in. */
export interface ContainerNamespace {
  /** pid, net, ipc, mnt, uts, user, cgroup or time. */
  readonly type: string;
  readonly inode: number;
  readonly relation: 'host' | 'shared' | 'private';
  /** The other containers in it. */
  readonly sharedWith: readonly { readonly id: string; readonly name: string }[];
}

/** What is measured of a container now and then, and what limits it. */
export interface Measured {
  /** As in docs/metrics.md. */
  readonly name: string;
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What keeps its processes within bounds. */
export interface Confinement {
  /** Null where there is no daemon to know it. */
  readonly privileged: boolean | null;
  readonly capabilities: readonly string[];
  readonly seccomp: string | null;
  readonly apparmor: string | null;
  readonly noNewPrivileges: boolean;
  readonly readonlyRootfs: boolean;
}

export interface ContainerDetails extends ContainerSummary {
  readonly imageId: string | null;
  readonly restartPolicy: string;
  readonly logDriver: string;
  readonly networkMode: string;
  readonly stopSignal: string;
  readonly mounts: readonly {
    readonly source: string;
    readonly destination: string;
    readonly writable: boolean;
  }[];
  /** Attributes of its resource, as every record of it bears them. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Null where it does not run, or may not be looked at. */
  readonly confinement: Confinement | null;
  readonly namespaces: readonly ContainerNamespace[];
  /** All metrics of the last round; counters are totals. */
  readonly measured: readonly Measured[];
}

export const containerMetrics = [
  'cpu',
  'throttled',
  'memory',
  'receive',
  'transmit',
  'read',
  'write',
  'pids',
] as const;
export type ContainerMetric = (typeof containerMetrics)[number];

export const hostMetrics = ['cpu', 'memory', 'receive', 'transmit', 'read', 'write'] as const;

/** The last hour at even steps; a value is the mean of what was measured in its step. */
export interface SeriesAnswer {
  /** When the first step begins. */
  readonly from: number;
  /** Length of a step. */
  readonly step: number;
  /** By container id, then by metric; all have the same number of steps. */
  readonly series: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}

export interface LogEntry {
  /** `log.record.uid`: the same for one line wherever it is seen. */
  readonly uid: string;
  /** Id of the container. */
  readonly container: string;
  readonly time: number;
  /** OpenTelemetry severity number; 0 where none was found. */
  readonly severity: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Characters of the text that were left out here. */
  readonly cut: number;
  /** Fields of a structured line. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Logs {
  /** Oldest first. */
  readonly lines: readonly LogEntry[];
  /** Whether there are older ones in memory that fit the question. */
  readonly hasMore: boolean;
  /** Since when lines are kept without a gap: the time of the oldest that is; null where there is none. */
  readonly oldest: number | null;
}

export interface EventEntry {
  /** Rises from event to event while the agent runs. */
  readonly sequence: number;
  readonly time: number;
  /** `docker.container.die` */
  readonly name: string;
  readonly severity: number;
  /** One sentence. */
  readonly body: string;
  /** Null for what is about the host, its daemon, images, volumes and networks. */
  readonly container: { readonly id: string; readonly name: string } | null;
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
}

export interface Events {
  /** Oldest first. */
  readonly events: readonly EventEntry[];
}

export interface AlertEntry extends Omit<Alert, 'startsAt' | 'endsAt' | 'resource'> {
  readonly startsAt: number;
  readonly endsAt: number | null;
}

export interface Alerts {
  readonly time: number;
  readonly alerts: readonly AlertEntry[];
}

export interface NamespaceEntry {
  readonly type: string;
  readonly inode: number;
  readonly isHost: boolean;
  /** Containers in it, by name. */
  readonly members: readonly { readonly id: string; readonly name: string }[];
}

export interface NamespaceMap {
  readonly namespaces: readonly NamespaceEntry[];
}

export interface ImageEntry {
  readonly id: string;
  readonly references: readonly string[];
  readonly createdAt: number | null;
  readonly size: number | null;
  /** Containers that were made from it, running or not. */
  readonly containers: readonly { readonly id: string; readonly name: string }[];
}

export interface Images {
  readonly images: readonly ImageEntry[];
}

export interface Layer {
  readonly createdAt: number | null;
  /** The instruction that made it, without values of variables. */
  readonly instruction: string;
  readonly size: number;
}

export interface ImageDetails {
  readonly id: string;
  readonly references: readonly string[];
  readonly digests: readonly string[];
  readonly createdAt: number | null;
  readonly size: number;
  readonly os: string;
  readonly architecture: string;
  /** The last one on top. */
  readonly layers: readonly Layer[];
}

export interface HostFigures {
  readonly time: number;
  /** CPUs in use. */
  readonly cpu: number | null;
  readonly cpus: number | null;
  /** Total without what new work could have. */
  readonly memory: number | null;
  readonly memoryTotal: number | null;
  readonly receive: number | null;
  readonly transmit: number | null;
  readonly read: number | null;
  readonly write: number | null;
  /** s */
  readonly uptime: number | null;
}

export interface Host {
  readonly attributes: Readonly<Record<string, string>>;
  readonly figures: HostFigures | null;
  readonly filesystems: readonly {
    readonly mountpoint: string;
    readonly device: string;
    readonly type: string;
    readonly used: number;
    readonly size: number;
  }[];
  /** Space that the daemon's objects take: images, volumes, build cache. */
  readonly measured: readonly Measured[];
}

export interface Agent {
  readonly status: Status;
  /** Since the agent began: time in rounds in seconds, and faults. */
  readonly collectors: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly errors: number;
  }[];
  /** Resident memory of the process. */
  readonly rss: number;
  /** CPU time of the process, s. */
  readonly cpuSeconds: number;
  /** What is kept for the page, and what bounds it. */
  readonly kept: readonly {
    readonly what: string;
    readonly used: number;
    readonly bound: number;
    readonly unit: string;
  }[];
}

/** What `/api/stream` sends: `event:` is the key, `data:` the value as JSON. */
export interface Messages {
  /** First, and whenever the set of containers has to be taken anew. */
  snapshot: Containers &
    Alerts & {
      readonly version: string;
      /** Name of the host. */
      readonly host: string;
      readonly hostFigures: HostFigures | null;
      readonly connected: boolean;
    };
  /** Every 15 s: whoever hears nothing for much longer is connected to nobody. */
  beat: Readonly<Record<string, never>>;
  /** After each look. */
  figures: {
    readonly time: number;
    readonly figures: Readonly<Record<string, Figures>>;
    readonly host: HostFigures | null;
  };
  /** A container that is new, or has changed other than in its figures. */
  container: ContainerSummary;
  /** One that is not shown any more. */
  forgotten: { readonly id: string };
  event: EventEntry;
  alerts: Alerts;
  /** Of the containers that are followed; `skipped` lines came faster than they can be shown. */
  lines: { readonly lines: readonly LogEntry[]; readonly skipped: number };
  /** Whether the agent sees its daemon. */
  daemon: { readonly connected: boolean };
}
