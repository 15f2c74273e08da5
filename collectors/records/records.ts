/**
 * The records that travel from collectors through the pipeline to exporters.
 */

/** Nanoseconds since the Unix epoch. */
export type UnixNano = bigint;

/** ISO 8601, to the millisecond. */
export const isoTime = (time: UnixNano): string => new Date(Number(time / 1_000_000n)).toISOString();

/** The clock, to the millisecond that it gives. */
export const unixNow = (): UnixNano => BigInt(Date.now()) * 1_000_000n;

/** OpenTelemetry attribute values. An integral number is sent as an integer, any other as a double. */
export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * What a record is about. Immutable: a changed identity is a new Resource, so that its encoding can be
 * kept for as long as the object lives.
 */
export interface Resource {
  readonly attributes: Attributes;
  /** The container that it is; undefined for the host and its daemon. */
  readonly subject?: Subject;
}

/** What rules choose containers by. */
export interface Subject {
  readonly name: string;
  /** Image reference as the user gave it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A container as the collectors know it. One object per container id for as long as the container exists. */
export interface Container {
  readonly id: string;
  /** Without the leading slash that the Engine API gives it. */
  name: string;
  /** Image reference as the user gave it (`Config.Image`). */
  image: string;
  labels: Readonly<Record<string, string>>;
  resource: Resource;
  /** Process id of the container's init in the agent's view of /proc; 0 when it does not run. */
  pid: number;
  /** `Created`; 0n where it is not known. */
  createdAt: UnixNano;
  /** `State.StartedAt`; 0n when it never ran. */
  startedAt: UnixNano;
  /** `State.FinishedAt`: the end of the last run that has ended; 0n when none has. */
  finishedAt: UnixNano;
  /** Whether the log is one raw stream (`Config.Tty`). */
  tty: boolean;
  /** `HostConfig.LogConfig.Type`; empty where it is not known. */
  logDriver: string;
  /** `max-size` of the json-file driver's options, bytes; 0 where its files are not rotated. */
  logMaxSize: number;
  /** `LogPath`: the json-file driver's file; empty for other drivers, and before the first start. */
  logPath: string;
  /** `HostConfig.NetworkMode`: `host`, `container:<id>`, or the network's name. */
  networkMode: string;
  /** Names and addresses on its networks, and `:port` for each published port. */
  reachedBy: readonly string[];
  /** `State.Status`: created, running, paused, restarting, removing, exited or dead. */
  status: string;
  /** `State.Health.Status`; undefined without a health check. */
  health: string | undefined;
  /** `RestartCount`: restarts by the restart policy; undefined where only the daemon knows. */
  restarts: number | undefined;
  /** `State.ExitCode` of the last run; undefined as above. */
  exitCode: number | undefined;
  /** `State.OOMKilled` of the last run; undefined as above. */
  oomKilled: boolean | undefined;
  /** When the health check that decided on `health` ended; 0n where it is not known. */
  healthAt: UnixNano;
  /** `Config.StopSignal`, such as SIGTERM. */
  stopSignal: string;
  /** The command of the health check as exec events tell it; empty without one. */
  healthCommand: string;
  /** `HostConfig.RestartPolicy.Name`. */
  restartPolicy: string;
  /** `HostConfig.Privileged`; undefined where only the daemon knows. */
  privileged: boolean | undefined;
  /** Whether `HostConfig.PidMode` is `host`; false where it is not known. */
  hostPid: boolean;
  /** What of the host is mounted in it. */
  mounts: readonly { readonly source: string; readonly destination: string; readonly writable: boolean }[];
  /** `HostConfig.SecurityOpt`. */
  securityOptions: readonly string[];
  /** Checksum of what `docker update` can change. */
  settings: number;
  /** `HostConfig.Memory`, bytes; 0 without a limit. */
  memoryLimit: number;
  /** CPU time that it may use, in CPUs (`HostConfig.NanoCpus`, or CpuQuota by CpuPeriod); 0 without a limit. */
  cpuLimit: number;
  /** When the image was created; 0n where it is not known. */
  imageCreated: UnixNano;
  /** The container's cgroup in its hierarchy, such as `/docker/<id>`, once it was located. */
  cgroupPath?: string;
}

export type MetricKind = 'counter' | 'updowncounter' | 'gauge';

/** A metric's description; the catalogue holds one per metric. */
export interface Metric {
  readonly name: string;
  /** UCUM unit. */
  readonly unit: string;
  readonly kind: MetricKind;
  /** Whether values are sent as integers. */
  readonly integer: boolean;
  readonly description: string;
  /** Not sent as it is: only under the name that a dialect has for it. */
  readonly dialectOnly?: boolean;
}

/** One value of one metric. */
export interface Point {
  readonly metric: Metric;
  readonly value: number;
  readonly attributes?: Attributes;
}

/** Takes points; those of one metric come next to each other. */
export interface PointSink {
  push(point: Point): void;
  /**
   * Takes what the collector gave of the same container in the last round once more.
   * @returns false where that is not known: then it is to be given
   */
  repeatPrevious(): boolean;
}

/** OpenTelemetry SeverityNumber of the ranges that the agent itself assigns. */
export const Severity = { INFO: 9, WARN: 13, ERROR: 17 } as const;
export type SeverityNumber = (typeof Severity)[keyof typeof Severity];

/** Which trace, and which span in it, in hexadecimal: 32 and 16 digits. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
}

/** A lifecycle event: an OTLP log record with an event name. */
export interface EventRecord {
  readonly eventName: string;
  readonly time: UnixNano;
  readonly severity: SeverityNumber;
  /** One sentence for a person. */
  readonly body: string;
  readonly attributes: Attributes;
  /** The container's life that it is part of. */
  readonly context?: SpanContext | undefined;
}

/** Something that lasted, in the life of a container. */
export interface Span {
  readonly context: SpanContext;
  /** Undefined for the root of its trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly start: UnixNano;
  readonly end: UnixNano;
  readonly attributes: Attributes;
  /** Why it did not end well; undefined where it did. */
  readonly error: string | undefined;
  readonly links: readonly SpanContext[];
}

export type IoStream = 'stdout' | 'stderr';

/** How far a container's log was handed over. */
export interface LogPosition {
  /** Time of the last line, since the Unix epoch. */
  seconds: number;
  nanos: number;
  /** How many lines in a row bear that time. */
  count: number;
  /** Where the next line begins in the log file that the last one is in; -1 where the log is read through the API. */
  offset: number;
  /** Checksum (CRC-32) of the bytes before that place, by which the file is recognised; -1 where it is not known. */
  check: number;
}

/** One line of a container's log; whoever hands lines over uses one object for all of them. */
export interface LogLine {
  /** When the daemon took the line, since the Unix epoch. */
  seconds: number;
  nanos: number;
  /** Which of the lines in a row that bear this time it is, from 1 on. */
  count: number;
  stream: IoStream;
  /** The line without its newline is `source[start, end)`. */
  source: Buffer;
  start: number;
  end: number;
  /** Bytes that were left out at its end, because it is too long. */
  cut: number;
  /** Whether the bytes are known to be UTF-8. */
  utf8: boolean;
  /** Whether the bytes are something else that was found in the log file. */
  malformed: boolean;
  /** What tells it from others that bear the same time: its place in the file, or its number among them. */
  ordinal: number;
  /** The log file that it stands in, and where its last piece begins there; '' where that is not wanted. */
  path: string;
  offset: number;
}
