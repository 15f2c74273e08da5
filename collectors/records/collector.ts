import type { Container, EventRecord, LogLine, LogPosition, PointSink, Resource, Span } from './records.ts';

/** Where one container's log lines go. */
export interface LogSink {
  /** Bytes of a line above which the rest is left out. */
  readonly maxLineBytes: number;
  /** Whether lines are to tell the file that they stand in. */
  readonly wantsFileOffset: boolean;
  /** Takes one line; its bytes are copied. */
  addLine(line: LogLine): void;
  /** The position covers every line up to now: it is kept once all of them were handed over. */
  checkpoint(): void;
  /**
   * Undefined where there is room for more; else resolves when there is, or when `signal` aborts. Reading
   * waits here, so a slow receiver costs no memory.
   */
  waitForCapacity(signal: AbortSignal): Promise<void> | undefined;
  /** Hands on what there is, without waiting for more. */
  flush(): void;
  /** Nothing more comes for now: what waits for a line that could belong to it waits no longer. */
  finishRecord(): void;
}

/** Where positions of logs are kept, so that the next agent resumes there. */
export interface PositionStore {
  save(container: Container, position: LogPosition): void;
}

/** The pipeline as collectors see it. */
export interface RecordSink {
  /** Resolves when every exporter has taken charge of the event. */
  emitEvent(resource: Resource, event: EventRecord): Promise<void>;
  /** As `event`; resolves at once where no traces are wanted. */
  emitSpan(resource: Resource, span: Span): Promise<void>;
  /**
   * Opens the log of a container for writing.
   * @param position how far its lines were read; the caller keeps it up to date
   * @param positions where the position is saved once exporters have taken charge of the lines
   * @returns undefined where the container's log is not wanted
   */
  openLog(container: Container, position: LogPosition, positions: PositionStore): LogSink | undefined;
  /** A fault at run time: counted, and logged at a bounded rate. */
  reportError(collector: string, error: unknown, container?: Container): void;
}

/** Where a collector keeps what must survive a restart; each value a text. */
export interface TextStore {
  /** The part of each key behind `prefix`. */
  idsUnder(prefix: string): Iterable<string>;
  load(key: string): string | undefined;
  save(key: string, value: string): void;
  delete(key: string): void;
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
  attachContainer?(container: Container): void | Promise<void>;
  /**
   * A container was created or started, some moments before `attach`: for what a short-lived one would not wait
   * for. One that was created just now is not known yet.
   */
  anticipateContainer?(id: string, container: Container | undefined): void;
  /** A running container's settings were changed. */
  updateContainer?(container: Container): void;
  /** A container no longer runs. Resolves when nothing of its run is left to be read. */
  detachContainer?(container: Container): void | Promise<void>;
  /** A container no longer exists. */
  removeContainer?(container: Container): void;
  /**
   * Asks for what `collect` cannot read at once, before each round; what has not come when `signal` aborts is left out
   * of the round.
   */
  prepareRound?(signal: AbortSignal): Promise<void>;
  /**
   * Adds a container's points of this round, those of one metric next to each other. Synchronous, because
   * it is on the hot path.
   */
  collectContainer?(container: Container, points: PointSink): void;
  /** Adds this round's points that are about the host or the daemon. */
  collectHost?(points: PointSink): void;
  close?(): void | Promise<void>;
}
