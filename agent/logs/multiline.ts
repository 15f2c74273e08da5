/** Decides which lines belong to the line before them: stack traces of the common languages. */
import type { MultilinePreset } from '../../config/log-options.ts';
import { compilePattern } from '../../config/pattern.ts';

/** The first and the last line of a record so far, as much of them as identifies them. */
export interface RecordEnds {
  readonly first: string;
  readonly last: string;
}

/** Whether a line continues the record. */
type Continues = (line: string, record: RecordEnds) => boolean;

export interface LineJoining {
  /** Whether every indented line continues the record. It need not be decoded then. */
  readonly joinsIndented: boolean;
  readonly continues: Continues;
}

const SPACE = 0x20;
const TAB = 0x09;
const TILDE = 0x7e;

/** Whether the line `bytes[start, end)` is indented, as far as its bytes show without decoding. */
export function isPlainlyIndented(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at > start && at < end && bytes[at]! > SPACE && bytes[at]! <= TILDE;
}

const INDENTED = /^[ \t]+\S/;

const joinIndentedOr = (others: Continues): LineJoining => ({
  joinsIndented: true,
  continues: (line, record) => INDENTED.test(line) || others(line, record),
});

const PYTHON_TRACEBACK = /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):/;
const PYTHON_BETWEEN = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const GO_CRASH = /^(?:panic: |fatal error: |goroutine \d+ \[|SIG[A-Z]+: |unexpected fault address)/;
const GO_CONTINUES = /^(?:\s|$|goroutine \d+|created by |\[signal |panic: |exit status |main\.|runtime\.)/;
/** `net/http.(*conn).serve(0xc0000, …)` */
const GO_CALL = /^[\w./*-]{1,256}\(/;

export const multilinePresets = {
  /** Lines that begin with a space or a tab. */
  indent: joinIndentedOr(() => false),
  java: joinIndentedOr(
    (line) =>
      /^(?:Caused by: |Suppressed: |Exception in thread )/.test(line) ||
      /^(?:[a-zA-Z_$][\w$]*\.)+[\w$]*(?:Exception|Error|Throwable)\b/.test(line),
  ),
  python: joinIndentedOr(
    (line, { last }) =>
      PYTHON_TRACEBACK.test(line) ||
      PYTHON_BETWEEN.test(line) ||
      // The exception follows the last frame unindented; an empty line precedes the next traceback.
      (/^[ \t]/.test(last) && /^[A-Za-z_][\w.]*(?::|$)/.test(line)) ||
      (line === '' && /^[A-Za-z_][\w.]*(?:Error|Exception|Warning)\b/.test(last)) ||
      (last === '' && PYTHON_BETWEEN.test(line)),
  ),
  go: {
    joinsIndented: false,
    continues: (line, { first }) =>
      GO_CRASH.test(first) && (GO_CONTINUES.test(line) || (line.endsWith(')') && GO_CALL.test(line))),
  },
  node: joinIndentedOr((line) => /^[}\])]|^Node\.js v\d/.test(line) || /^\s*\^+\s*$/.test(line)),
  ruby: joinIndentedOr((line) => /^\s*\d+: from |^\tfrom /.test(line)),
  dotnet: joinIndentedOr((line) => /^ ?--->|^ *--- End of /.test(line)),
} satisfies Record<MultilinePreset, LineJoining>;

/** Joins all lines up to the next that matches `start`. */
export function joinUntilStart(start: string): LineJoining {
  const isStart = compilePattern(start);
  return { joinsIndented: false, continues: (line) => !isStart.test(line) };
}
