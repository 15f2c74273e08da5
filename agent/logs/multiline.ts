/** Which lines belong to the one before: stack traces as the common languages print them. */
import { pattern } from './pattern.ts';

/** Whether a line goes on with the lines so far, given the first and the last of them. */
export type Continues = (line: string, last: string, first: string) => boolean;

const indented = (line: string): boolean => /^[ \t]+\S/.test(line);

/** Go on until a line that begins a new record. */
const PYTHON_TRACEBACK = /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):/;
const PYTHON_BETWEEN = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const GO_CRASH = /^(?:panic: |fatal error: |goroutine \d+ \[|SIG[A-Z]+: |unexpected fault address)/;
const GO_GOES_ON = /^(?:\s|$|goroutine \d+|created by |\[signal |panic: |exit status |main\.|runtime\.)/;
/** `net/http.(*conn).serve(0xc0000, …)` */
const GO_CALL = /^[\w./*-]{1,256}\(/;

export const presets = {
  /** Lines that begin with a space or a tab. */
  indent: (line) => indented(line),
  java: (line) =>
    indented(line) ||
    /^(?:Caused by: |Suppressed: |Exception in thread )/.test(line) ||
    /^(?:[a-zA-Z_$][\w$]*\.)+[\w$]*(?:Exception|Error|Throwable)\b/.test(line),
  python: (line, last) =>
    PYTHON_TRACEBACK.test(line) ||
    PYTHON_BETWEEN.test(line) ||
    indented(line) ||
    // The exception itself stands unindented below the last frame, and an empty line before the next traceback.
    (/^[ \t]/.test(last) && /^[A-Za-z_][\w.]*(?::|$)/.test(line)) ||
    (line === '' && /^[A-Za-z_][\w.]*(?:Error|Exception|Warning)\b/.test(last)) ||
    (last === '' && PYTHON_BETWEEN.test(line)),
  go: (line, _last, first) =>
    GO_CRASH.test(first) && (GO_GOES_ON.test(line) || (line.endsWith(')') && GO_CALL.test(line))),
  node: (line) => indented(line) || /^[}\])]|^Node\.js v\d/.test(line) || /^\s*\^+\s*$/.test(line),
  ruby: (line) => indented(line) || /^\s*\d+: from |^\tfrom /.test(line),
  dotnet: (line) => indented(line) || /^ ?--->|^ *--- End of /.test(line),
} satisfies Record<string, Continues>;

export const presetNames = Object.keys(presets) as readonly (keyof typeof presets)[];

/** Every line up to the next that fits `start` belongs together. */
export function startsAt(start: string): Continues {
  const begins = pattern(start);
  return (line) => !begins.test(line);
}
