/** Patterns in which `*` stands for any text, compiled once. */

export type WildcardMatcher = (text: string) => boolean;

const sourceOf = (pattern: string): string =>
  pattern
    .split('*')
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');

/** A matcher of whole texts that any of the patterns fits; of no patterns, one that matches nothing. */
export function compileWildcards(...patterns: readonly string[]): WildcardMatcher {
  if (patterns.length === 0) return () => false;
  const expression = new RegExp(`^(?:${patterns.map(sourceOf).join('|')})$`, 's');
  return (text) => expression.test(text);
}
