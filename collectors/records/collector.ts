import type { Container, EventRecord, LogLine, LogPosition, PointSink, Resource, Span } from './records.ts';

/** Receives the log lines of one container. */
export interface LogSink {
  /** Longest line in bytes: the sink drops the rest of a longer one. */
  readonly maxLineBytes: number;
  /** Whether lines need `path` and `offset`. */
  readonly wantsFileOffset: boolean;
  /** Adds one line. Its bytes are copied. */
  addLine(line: LogLine): void;
  /**
   * Marks the position as covering every line so far: it is saved once exporters have accepted all of them.
   */
  checkpoint(): void;
  /**
   * Undefined while there is capacity. Otherwise it resolves when there is capacity again, or when `signal`
   * aborts. Readers wait here, so that a slow receiver costs no memory.
   */
  waitForCapacity(signal: AbortSignal): Promise<void> | undefined;
  /** Passes on all lines so far, without waiting for more. */
  flush(): void;
  /** No more lines come for now: completes a record that waits for further lines. */
  finishRecord(): void;
}

/** Stores the positions of logs, so that the next agent resumes there. */
export interface PositionStore {
  save(container: Container, position: LogPosition): void;
}

/** Receives the records of collectors: the pipeline, from their side. */
export interface RecordSink {
  /** Resolves when every exporter has accepted the event. */
  emitEvent(resource: Resource, event: EventRecord): Promise<void>;
  /** As `emitEvent`. Resolves at once where traces are disabled. */
  emitSpan(resource: Resource, span: Span): Promise<void>;
  /**
   * Opens the log of a container for writing.
   * @param position how far its lines were read; the caller keeps it up to date
   * @param positions saves the position once exporters have accepted the lines
   * @returns undefined where the container's log is excluded
   */
  openLog(container: Container, position: LogPosition, positions: PositionStore): LogSink | undefined;
  /** Reports an error at run time. It is counted, and logged at a bounded rate. */
  reportError(collector: string, error: unknown, container?: Container): void;
}

/** Stores texts that must survive a restart of the agent. */
export interface TextStore {
  /** Of each key that begins with `prefix`, the part after it. */
  idsUnder(prefix: string): Iterable<string>;
  load(key: string): string | undefined;
  save(key: string, value: string): void;
  delete(key: string): void;
}

/** Turns one source on the host into records. A collector reports its errors, and never ends the agent. */
export interface Collector {
  readonly name: string;
  /**
   * A container was started or found. `container.pid` is its init, or 0 where it has already ended. Called
   * again after each restart.
   */
  attachContainer?(container: Container): void | Promise<void>;
  /**
   * A container was created or started, some moments before `attachContainer`: for work that would be too
   * late for a short-lived container. A container that was just created is still unknown.
   * @param container undefined where it is unknown
   */
  anticipateContainer?(id: string, container: Container | undefined): void;
  /** A running container's settings were changed. */
  updateContainer?(container: Container): void;
  /** A container no longer runs. Resolves when everything of its run has been read. */
  detachContainer?(container: Container): void | Promise<void>;
  /** A container no longer exists. */
  removeContainer?(container: Container): void;
  /**
   * Requests before each round what `collectContainer` cannot read synchronously. Answers that come after
   * `signal` aborts are absent from the round.
   */
  prepareRound?(signal: AbortSignal): Promise<void>;
  /**
   * Adds a container's points of this round, with the points of one metric next to each other. Synchronous,
   * because it is on the hot path.
   */
  collectContainer?(container: Container, points: PointSink): void;
  /** Adds this round's points of the host or the daemon. */
  collectHost?(points: PointSink): void;
  close?(): void | Promise<void>;
}
