/** Containers: the list, and the details of one. */
import type { AlertMark } from './events.ts';
import type { ContainerNamespace } from './namespaces.ts';

/** Latest resource usage of a container. */
export interface ContainerFigures {
  /** When it was measured. */
  readonly time: number;
  /** CPUs in use. */
  readonly cpu: number | null;
  /** CPUs that the quota allows. */
  readonly cpuLimit: number | null;
  /** Share of the CPU periods since the previous measurement that were throttled; 0 to 1. */
  readonly throttled: number | null;
  /** Working set, as `docker stats` shows it. */
  readonly memory: number | null;
  readonly memoryLimit: number | null;
  /** Bytes per second, sum of all interfaces. */
  readonly receive: number | null;
  readonly transmit: number | null;
  /** Bytes per second, sum of all devices. */
  readonly read: number | null;
  readonly write: number | null;
  readonly pids: number | null;
  readonly pidsLimit: number | null;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** Reference as the user gave it. */
  readonly image: string;
  /** Compose project or Swarm stack. */
  readonly project: string | null;
  /** Compose or Swarm service. */
  readonly service: string | null;
  /** created, running, paused, restarting, removing, exited or dead; `removed` once it no longer exists. */
  readonly status: string;
  /** starting, healthy or unhealthy; null without a health check. */
  readonly health: string | null;
  /** Restarts by the restart policy; null without a daemon. */
  readonly restarts: number | null;
  /** Exit code of the last run; null while the container runs, and before its first run. */
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly createdAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Null if the container does not run, or is not measured yet. */
  readonly figures: ContainerFigures | null;
  /** Pending and firing alerts. */
  readonly alerts: readonly AlertMark[];
}

export interface Containers {
  readonly time: number;
  /** Time between two rounds of metrics. */
  readonly interval: number;
  readonly containers: readonly ContainerSummary[];
}

/** One measured value. */
export interface Measured {
  /** As in docs/metrics.md. */
  readonly name: string;
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Restrictions of a container's processes. */
export interface Confinement {
  /** Null without a daemon. */
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
  /** Attributes of the container's resource, which all its records share. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Null if the container does not run, or the agent has no permission to read it. */
  readonly confinement: Confinement | null;
  readonly namespaces: readonly ContainerNamespace[];
  /** All metrics of the latest round; counters are totals. */
  readonly measured: readonly Measured[];
}
