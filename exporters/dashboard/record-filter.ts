/** What can be asked of logs and events. */
import type { LinearPattern } from '../../config/linear-pattern.ts';
import { compilePattern } from '../../config/pattern.ts';

export interface RecordFilter {
  /** Ids of containers; undefined for all. */
  readonly ids: ReadonlySet<string> | undefined;
  /** ms since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly severity: number;
  /** How many of the newest. */
  readonly limit: number;
  /** Whether a text is looked for. */
  readonly matches: (text: string) => boolean;
}

/** What makes a text a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|]/;

/** Whether a text has what is looked for: in any case, or as the pattern that it is. */
export function textMatcher(grep: string | undefined): (text: string) => boolean {
  if (grep === undefined || grep === '') return () => true;
  if (SPECIAL.test(grep)) {
    let wanted: LinearPattern | undefined;
    try {
      wanted = compilePattern(grep);
    } catch {
      // `f(` is looked for as it is written.
    }
    if (wanted !== undefined) return (text) => wanted.test(text);
  }
  const lower = grep.toLowerCase();
  return (text) => text.toLowerCase().includes(lower);
}
