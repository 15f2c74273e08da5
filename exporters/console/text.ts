/** Text of others as it is shown in a terminal: it takes the columns that it seems to, and steers nothing. */
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';

/**
 * What is left of control characters without escape sequences, C1 included (in some terminals they stand for
 * sequences), line separators, and what turns the direction of the text behind it.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** A character that most lines do not have: those that do not are shown as they are. */
const SUSPICIOUS = /[^\t -~\u00a0-\u0600]/;
const TAB = '    ';

/** Without control sequences: a log line must not move the cursor of whoever reads it. A tab is welcome. */
export function stripControls(text: string): string {
  return SUSPICIOUS.test(text) ? stripVTControlCharacters(text).replaceAll(CONTROLS, '') : text;
}

/** In one line and without tabs, for a place that was measured. */
export function toSingleLine(text: string): string {
  const shown = stripControls(text);
  return shown.includes('\t') ? shown.replaceAll('\t', TAB) : shown;
}

/** Columns of a terminal that a text takes; colours take none. */
export const width = (text: string): number => stringWidth(text);

/** UTF-16 units of a column, at most, in what anybody writes. */
const LONGEST = 16;
const graphemes = new Intl.Segmenter();
/** What Latin script is made of: a column each. */
const SIMPLE = /^[ -~]*$/;

/** The beginning of a text without colours that fits into so many columns. */
function prefixThatFits(text: string, columns: number): string {
  if (SIMPLE.test(text)) return text.slice(0, columns);
  let used = 0;
  let end = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > columns) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** A text without colours in at most so many columns; where something is left out, it ends in `…`. */
export function truncate(text: string, columns: number): string {
  // No character is longer than this: what lies behind need not be measured.
  const head = text.length > columns * LONGEST ? text.slice(0, columns * LONGEST) : text;
  if (head === text && width(text) <= columns) return text;
  return columns < 1 ? '' : `${prefixThatFits(head, columns - 1)}…`;
}

/** In exactly so many columns. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const shown = truncate(text, columns);
  const space = ' '.repeat(Math.max(0, columns - width(shown)));
  return side === 'left' ? shown + space : space + shown;
}
