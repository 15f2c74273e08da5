/**
 * The records that travel from collectors through the pipeline to exporters.
 */

/** Nanoseconds since the Unix epoch. */
export type UnixNano = bigint;

/** ISO 8601, with milliseconds. */
export const isoTime = (time: UnixNano): string => new Date(Number(time / 1_000_000n)).toISOString();

/** The time now, with the clock's precision of a millisecond. */
export const unixNow = (): UnixNano => BigInt(Date.now()) * 1_000_000n;

/** OpenTelemetry attribute values. An integral number is sent as an integer, any other as a double. */
export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * The OpenTelemetry resource of a record. Immutable: a changed identity is a new Resource, so that the
 * encoding can be kept with the object.
 */
export interface Resource {
  readonly attributes: Attributes;
  /** The container that the resource describes; undefined for the host and its daemon. */
  readonly subject?: Subject;
}

/** The properties by which rules select containers. */
export interface Subject {
  readonly name: string;
  /** Image reference as the user gave it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * A container as collectors know it. There is one object per container id for as long as the container
 * exists.
 */
export interface Container {
  readonly id: string;
  /** Without the leading slash that the Engine API gives it. */
  name: string;
  /** Image reference as the user gave it (`Config.Image`). */
  image: string;
  labels: Readonly<Record<string, string>>;
  resource: Resource;
  /** Process id of the container's init in the agent's /proc; 0 while the container does not run. */
  pid: number;
  /** `Created`; 0n where it is unknown. */
  createdAt: UnixNano;
  /** `State.StartedAt`; 0n for a container that never ran. */
  startedAt: UnixNano;
  /** `State.FinishedAt`: the end of the last completed run; 0n without one. */
  finishedAt: UnixNano;
  /** Whether the log is one raw stream (`Config.Tty`). */
  tty: boolean;
  /** `HostConfig.LogConfig.Type`; empty where it is unknown. */
  logDriver: string;
  /** `max-size` of the json-file driver, bytes; 0 where files are not rotated. */
  logMaxSize: number;
  /** `LogPath`: the file of the json-file driver; empty for other drivers, and before the first start. */
  logPath: string;
  /** `HostConfig.NetworkMode`: `host`, `container:<id>`, or the network's name. */
  networkMode: string;
  /** Names and addresses of the container on its networks, and `:port` for each published port. */
  reachedBy: readonly string[];
  /** `State.Status`: created, running, paused, restarting, removing, exited or dead. */
  status: string;
  /** `State.Health.Status`; undefined without a health check. */
  health: string | undefined;
  /** `RestartCount`: restarts by the restart policy; undefined without a daemon, which alone knows it. */
  restarts: number | undefined;
  /** `State.ExitCode` of the last run; undefined without a daemon. */
  exitCode: number | undefined;
  /** `State.OOMKilled` of the last run; undefined without a daemon. */
  oomKilled: boolean | undefined;
  /** End of the health check that set `health`; 0n where it is unknown. */
  healthAt: UnixNano;
  /** `Config.StopSignal`, such as SIGTERM. */
  stopSignal: string;
  /** The command of the health check as in exec events; empty without a health check. */
  healthCommand: string;
  /** `HostConfig.RestartPolicy.Name`. */
  restartPolicy: string;
  /** `HostConfig.Privileged`; undefined without a daemon. */
  privileged: boolean | undefined;
  /** Whether `HostConfig.PidMode` is `host`; false where it is unknown. */
  hostPid: boolean;
  /** Paths of the host that are mounted in the container. */
  mounts: readonly { readonly source: string; readonly destination: string; readonly writable: boolean }[];
  /** `HostConfig.SecurityOpt`. */
  securityOptions: readonly string[];
  /** Checksum of the settings that `docker update` can change. */
  settings: number;
  /** `HostConfig.Memory`, bytes; 0 without a limit. */
  memoryLimit: number;
  /** CPU limit in CPUs (`HostConfig.NanoCpus`, or CpuQuota divided by CpuPeriod); 0 without a limit. */
  cpuLimit: number;
  /** When the image was created; 0n where it is unknown. */
  imageCreated: UnixNano;
  /** The container's cgroup in its hierarchy, such as `/docker/<id>`; undefined until it is located. */
  cgroupPath?: string;
}

export type MetricKind = 'counter' | 'updowncounter' | 'gauge';

/** The definition of a metric; the catalogue has one per metric. */
export interface Metric {
  readonly name: string;
  /** UCUM unit. */
  readonly unit: string;
  readonly kind: MetricKind;
  /** Whether values are sent as integers. */
  readonly integer: boolean;
  readonly description: string;
  /** Whether it is exported only in dialects that have a name for it. */
  readonly dialectOnly?: boolean;
}

/** One value of one metric. */
export interface Point {
  readonly metric: Metric;
  readonly value: number;
  readonly attributes?: Attributes;
}

/** Receives points. The points of one metric come next to each other. */
export interface PointSink {
  push(point: Point): void;
  /**
   * Repeats the points that the collector pushed for the same container in the previous round. They replace what it has
   * pushed in this round, and what it pushes afterwards is ignored.
   * @returns false where they are not known: then the collector has to push its points
   */
  repeatPrevious(): boolean;
}

/** OpenTelemetry SeverityNumbers that the agent assigns to its own records. */
export const Severity = { INFO: 9, WARN: 13, ERROR: 17 } as const;
export type SeverityNumber = (typeof Severity)[keyof typeof Severity];

/** A span and its trace, in hexadecimal: 16 and 32 digits. */
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
  /** The span of the container's life that the event belongs to. */
  readonly context?: SpanContext | undefined;
}

/** A period in the life of a container. */
export interface Span {
  readonly context: SpanContext;
  /** Undefined for the root of its trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly start: UnixNano;
  readonly end: UnixNano;
  readonly attributes: Attributes;
  /** The error that it ended with; undefined where it ended well. */
  readonly error: string | undefined;
  readonly links: readonly SpanContext[];
}

export type IoStream = 'stdout' | 'stderr';

/** How far a container's log was read. */
export interface LogPosition {
  /** Time of the last line, since the Unix epoch. */
  seconds: number;
  nanos: number;
  /** Number of consecutive lines with that time. */
  count: number;
  /**
   * Where the next line begins, in the log file of the last line; -1 where the log is read through the API.
   */
  offset: number;
  /** Checksum (CRC-32) of the bytes before `offset`: it recognises the file. -1 where it is unknown. */
  check: number;
}

/** One line of a container's log. A reader uses one object for all its lines. */
export interface LogLine {
  /** When the daemon received the line, since the Unix epoch. */
  seconds: number;
  nanos: number;
  /** Its number among consecutive lines with the same time, counted from 1. */
  count: number;
  stream: IoStream;
  /** The line without its newline is `source[start, end)`. */
  source: Buffer;
  start: number;
  end: number;
  /** Bytes that were dropped at the end, because the line is too long. */
  cut: number;
  /** Whether the bytes are known to be UTF-8. */
  utf8: boolean;
  /** Whether the bytes are not a valid entry of the log file. */
  malformed: boolean;
  /**
   * Distinguishes it from other lines with the same time: its place in the file, or its number among them.
   */
  ordinal: number;
  /** Its log file, and where its last piece begins there; '' where `wantsFileOffset` is not set. */
  path: string;
  offset: number;
}
