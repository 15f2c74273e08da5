import type { Container, EventRecord, IoStream, PointSink, Resource } from '../agent/records.ts';

/** Where one container's log lines go. */
export interface LogSink {
  /**
   * Adds one line without its newline, `source[start, end)`, written at `seconds`.`nanos` since the epoch.
   * The bytes are copied.
   */
  line(
    seconds: number,
    nanos: number,
    stream: IoStream,
    source: Uint8Array,
    start: number,
    end: number,
  ): void;
  /** Says that everything before is covered by `position`, which is kept once all of it was handed over. */
  position(position: string): void;
  /**
   * Undefined where there is room for more; else resolves when there is, or when `signal` aborts. Reading
   * waits here, so a slow receiver costs no memory.
   */
  room(signal: AbortSignal): Promise<void> | undefined;
}

/** The pipeline as collectors see it. */
export interface Sink {
  /** Resolves when every exporter has taken charge of the event. */
  event(resource: Resource, event: EventRecord): Promise<void>;
  logs(container: Container): LogSink;
  /** A fault at run time: counted, and logged at a bounded rate. */
  fault(collector: string, error: unknown, container?: Container): void;
}

/**
 * Turns one thing on the host into records. A collector that fails reports a fault and never takes the
 * agent down.
 */
export interface Collector {
  readonly name: string;
  /**
   * A container was started, or found: `container.pid` is its init, or 0 where it has ended already.
   * Called again after each restart.
   */
  attach?(container: Container): void | Promise<void>;
  /** A container was started, a moment before `attach`: for what a short-lived one would not wait for. */
  anticipate?(container: Container): void;
  /** A running container's settings were changed. */
  changed?(container: Container): void;
  /** A container no longer runs. */
  detach?(container: Container): void;
  /** A container no longer exists. */
  remove?(container: Container): void;
  /**
   * Adds a container's points of this round, those of one metric next to each other. Synchronous, because
   * it is on the hot path.
   */
  collect?(container: Container, points: PointSink): void;
  /** Adds this round's points that are about the host or the daemon. */
  collectHost?(points: PointSink): void;
  stop?(): void | Promise<void>;
}
