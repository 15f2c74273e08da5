/** A user's regular expression, on whichever engine matches it in linear time. */
export interface LinearPattern {
  test(text: string): boolean;
  /** Replaces every match. `$1` and the like in `by` are groups, as in String.prototype.replace. */
  replace(text: string, by: string): string;
}
