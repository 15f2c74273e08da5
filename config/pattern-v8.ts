/**
 * Patterns on V8's engine. V8 matches by backtracking, which is fast. A flag lets it continue with its linear engine
 * when backtracking gets out of hand. On long text the linear engine is used from the start.
 * Source: https://v8.dev/blog/non-backtracking-regexp
 */
import { setFlagsFromString } from 'node:v8';
import type { LinearPattern } from './linear-pattern.ts';

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
// Makes V8 accept the flag `l`, with which a pattern asks for the linear engine.
setFlagsFromString('--enable-experimental-regexp-engine');

/** Characters above which even quadratic time is too long. */
const LONG = 4096;

/** @throws {SyntaxError} as `compilePattern` */
export function compileV8(source: string): LinearPattern {
  const [once, all] = [new RegExp(source), new RegExp(source, 'g')];
  // The linear engine refuses look-ahead and back-references, and look-behind where it has to find all matches.
  const [onceLinear, allLinear] = [new RegExp(source, 'l'), new RegExp(source, 'lg')];
  return {
    test: (text) => (text.length > LONG ? onceLinear : once).test(text),
    replace: (text, by) => text.replace(text.length > LONG ? allLinear : all, by),
  };
}

/** Backtracking alone needs 2²⁴ steps for this text, about 200 ms; the linear engine far less than 1 ms. */
const EVIL = { source: '^(a+)+$', text: `${'a'.repeat(24)}b` };
const QUICK_MS = 50;
/** The operating system may suspend the process during one attempt, not during all. */
const ATTEMPTS = 3;

/**
 * Whether this Node has the linear engine and the switch to it: both are experimental, and set by flags at run time.
 * Takes less than a millisecond where it has them.
 */
export function hasLinearEngine(): boolean {
  try {
    const { test, replace } = compileV8('(\\d+)b');
    const long = 'x'.repeat(LONG);
    if (!test(`${long}1b`) || replace(`${long}1b`, '$1') !== `${long}1`) return false;
  } catch {
    return false;
  }
  for (const source of ['(?=a)', '(?!a)', '(a)\\1']) {
    try {
      compileV8(source);
      return false;
    } catch {}
  }
  const evil = new RegExp(EVIL.source);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const start = performance.now();
    evil.test(EVIL.text);
    if (performance.now() - start < QUICK_MS) return true;
  }
  return false;
}
