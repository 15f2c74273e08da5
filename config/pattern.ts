/**
 * Regular expressions of users, safe against patterns that would take for ever. V8 matches by backtracking,
 * which is fast, and can be told to go on with its linear engine when that gets out of hand; on long text that
 * engine is used from the start. What it does not know (look-around and back-references) is refused.
 * Source: https://v8.dev/blog/non-backtracking-regexp
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
// Recognises the flag `l`, by which a pattern asks for the linear engine.
setFlagsFromString('--enable-experimental-regexp-engine');

/** Characters above which even a square of them takes too long. */
const LONG = 4096;

export interface Pattern {
  test(text: string): boolean;
  /** Replaces all that fits; `$1` and the like in `by` are groups. */
  replace(text: string, by: string): string;
}

/** @throws {SyntaxError} when the source is no pattern, or none that can be matched in linear time */
export function pattern(source: string): Pattern {
  const [once, all] = [new RegExp(source), new RegExp(source, 'g')];
  const [onceLinear, allLinear] = [new RegExp(source, 'l'), new RegExp(source, 'lg')];
  return {
    test: (text) => (text.length > LONG ? onceLinear : once).test(text),
    replace: (text, by) => text.replace(text.length > LONG ? allLinear : all, by),
  };
}

/** Whether `pattern` takes it. */
export function isPattern(source: string): boolean {
  try {
    pattern(source);
    return true;
  } catch {
    return false;
  }
}
