/** Filters for log lines and events. */
import type { LinearPattern } from '../../config/linear-pattern.ts';
import { compilePattern } from '../../config/pattern.ts';

export interface RecordFilter {
  /** Ids of containers; undefined for all. */
  readonly ids: ReadonlySet<string> | undefined;
  /** ms since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly severity: number;
  /** Maximum number of records; the newest are returned. */
  readonly limit: number;
  /** Whether a text matches. */
  readonly matches: (text: string) => boolean;
}

/** Characters that make a search text a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|]/;

/** Matches text case-insensitively, or as a regular expression if `grep` is one. */
export function textMatcher(grep: string | undefined): (text: string) => boolean {
  if (grep === undefined || grep === '') return () => true;
  if (SPECIAL.test(grep)) {
    let expression: LinearPattern | undefined;
    try {
      expression = compilePattern(grep);
    } catch {
      // An invalid expression such as `f(` is searched as text.
    }
    if (expression !== undefined) return (text) => expression.test(text);
  }
  const lower = grep.toLowerCase();
  return (text) => text.toLowerCase().includes(lower);
}
