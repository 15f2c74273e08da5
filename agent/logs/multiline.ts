/** Which lines belong to the one before: stack traces as the common languages print them. */
import type { MultilinePreset } from '../../config/log-options.ts';
import { compilePattern } from '../../config/pattern.ts';

/** The lines so far of a record, as much of them as tells what they are. */
export interface RecordEnds {
  readonly first: string;
  readonly last: string;
}

/** Whether a line goes on with the lines so far. */
type Continues = (line: string, soFar: RecordEnds) => boolean;

export interface LineJoining {
  /** Whether every line that is indented goes on: then it need not be looked at as text. */
  readonly joinsIndented: boolean;
  readonly continues: Continues;
}

const SPACE = 0x20;
const TAB = 0x09;
const TILDE = 0x7e;

/** Whether the line `bytes[start, end)` is indented, as far as that can be told without reading it as text. */
export function isPlainlyIndented(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at > start && at < end && bytes[at]! > SPACE && bytes[at]! <= TILDE;
}

const INDENTED = /^[ \t]+\S/;

const indentedOr = (others: Continues): LineJoining => ({
  joinsIndented: true,
  continues: (line, soFar) => INDENTED.test(line) || others(line, soFar),
});

/** Go on until a line that begins a new record. */
const PYTHON_TRACEBACK = /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):/;
const PYTHON_BETWEEN = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const GO_CRASH = /^(?:panic: |fatal error: |goroutine \d+ \[|SIG[A-Z]+: |unexpected fault address)/;
const GO_CONTINUES = /^(?:\s|$|goroutine \d+|created by |\[signal |panic: |exit status |main\.|runtime\.)/;
/** `net/http.(*conn).serve(0xc0000, …)` */
const GO_CALL = /^[\w./*-]{1,256}\(/;

export const multilinePresets = {
  /** Lines that begin with a space or a tab. */
  indent: indentedOr(() => false),
  java: indentedOr(
    (line) =>
      /^(?:Caused by: |Suppressed: |Exception in thread )/.test(line) ||
      /^(?:[a-zA-Z_$][\w$]*\.)+[\w$]*(?:Exception|Error|Throwable)\b/.test(line),
  ),
  python: indentedOr(
    (line, { last }) =>
      PYTHON_TRACEBACK.test(line) ||
      PYTHON_BETWEEN.test(line) ||
      // The exception itself stands unindented below the last frame, and an empty line before the next traceback.
      (/^[ \t]/.test(last) && /^[A-Za-z_][\w.]*(?::|$)/.test(line)) ||
      (line === '' && /^[A-Za-z_][\w.]*(?:Error|Exception|Warning)\b/.test(last)) ||
      (last === '' && PYTHON_BETWEEN.test(line)),
  ),
  go: {
    joinsIndented: false,
    continues: (line, { first }) =>
      GO_CRASH.test(first) && (GO_CONTINUES.test(line) || (line.endsWith(')') && GO_CALL.test(line))),
  },
  node: indentedOr((line) => /^[}\])]|^Node\.js v\d/.test(line) || /^\s*\^+\s*$/.test(line)),
  ruby: indentedOr((line) => /^\s*\d+: from |^\tfrom /.test(line)),
  dotnet: indentedOr((line) => /^ ?--->|^ *--- End of /.test(line)),
} satisfies Record<MultilinePreset, LineJoining>;

/** Every line up to the next that fits `start` belongs together. */
export function joinUntilStart(start: string): LineJoining {
  const begins = compilePattern(start);
  return { joinsIndented: false, continues: (line) => !begins.test(line) };
}
