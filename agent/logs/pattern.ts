/**
 * Regular expressions of users, safe against patterns that would take for ever. V8 matches by backtracking,
 * and is told here to go on with its linear engine when that gets out of hand; what the linear engine does
 * not know (look-around and back-references) is refused.
 * Source: https://v8.dev/blog/non-backtracking-regexp
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
// Recognises the flag `l`, by which a pattern asks for the linear engine.
setFlagsFromString('--enable-experimental-regexp-engine');

/** @throws {SyntaxError} when the pattern is none, or none that can be matched in linear time */
export function pattern(source: string, flags = ''): RegExp {
  new RegExp(source, `l${flags}`);
  return new RegExp(source, flags);
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
