/** Log lines. */

export interface LogEntry {
  /** `log.record.uid`: the same for a line wherever it is read. */
  readonly uid: string;
  /** Id of the container. */
  readonly container: string;
  readonly time: number;
  /** OpenTelemetry severity number; 0 if none was detected. */
  readonly severity: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Number of characters that were cut from the text. */
  readonly cut: number;
  /** Fields of a structured line. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Logs {
  /** Oldest first. */
  readonly lines: readonly LogEntry[];
  /** Whether older matching lines are in memory. */
  readonly hasMore: boolean;
  /** Time of the oldest line from which all newer ones are in memory; null if there is none. */
  readonly oldest: number | null;
}
