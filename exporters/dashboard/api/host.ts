/** The host and the agent. */
import type { Status } from '../../shared/status.ts';
import type { Measured } from './containers.ts';

export interface HostFigures {
  readonly time: number;
  /** CPUs in use. */
  readonly cpu: number | null;
  readonly cpus: number | null;
  /** Total memory minus what is available to new processes. */
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
  /** Disk use of the daemon's objects: images, volumes, build cache. */
  readonly measured: readonly Measured[];
}

export interface Agent {
  readonly status: Status;
  /** Since the start of the agent: seconds spent in rounds, and number of errors. */
  readonly collectors: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly errors: number;
  }[];
  /** Resident memory of the process. */
  readonly rss: number;
  /** CPU time of the process, s. */
  readonly cpuSeconds: number;
  /** What the dashboard keeps in memory, with its limits. */
  readonly kept: readonly {
    readonly what: string;
    readonly used: number;
    readonly bound: number;
    readonly unit: string;
  }[];
}
