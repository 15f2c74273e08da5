/**
 * Regular expressions of users. Every pattern matches every text in linear time, because one that backtracks without end
 * would stop the agent. Look-around and back-references are therefore refused.
 */
import type { LinearPattern } from './linear-pattern.ts';
import { compileV8, hasLinearEngine } from './pattern-v8.ts';

/** The engine in use: V8's, or re2js where this Node's V8 has no linear engine. */
export const patternEngine = hasLinearEngine() ? 'v8' : 're2js';

/** @throws {SyntaxError} when the source is not a pattern, or cannot be matched in linear time */
export const compilePattern: (source: string) => LinearPattern =
  // Loaded only where it is needed.
  patternEngine === 'v8' ? compileV8 : (await import('./pattern-re2.ts')).compileRe2;

/** Whether `compilePattern` accepts it. */
export function isPattern(source: string): boolean {
  try {
    compilePattern(source);
    return true;
  } catch {
    return false;
  }
}
