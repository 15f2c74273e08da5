/** Makes text of other programs safe for a terminal, and measures its width. */
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';

/**
 * Characters to remove after the escape sequences: control characters, including C1, which some terminals
 * interpret as sequences; line separators; and characters that change the direction of text.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern is meant to match them
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** Most lines have none of these characters, and are shown unchanged. */
const SUSPICIOUS = /[^\t -~\u00a0-\u0600]/;
const TAB = '    ';

/** Removes control sequences, so that a log line cannot control the terminal. Tabs stay. */
export function stripControls(text: string): string {
  return SUSPICIOUS.test(text) ? stripVTControlCharacters(text).replaceAll(CONTROLS, '') : text;
}

/** Removes control sequences and expands tabs, for a cell of known width. */
export function toSingleLine(text: string): string {
  const shown = stripControls(text);
  return shown.includes('\t') ? shown.replaceAll('\t', TAB) : shown;
}

/** Width of a text in terminal columns, without its colours. */
export const width = (text: string): number => stringWidth(text);

/** Upper limit of UTF-16 units per column in real text. */
const MAX_UNITS_PER_COLUMN = 16;
const graphemes = new Intl.Segmenter();
/** ASCII text: each character takes one column. */
const SIMPLE = /^[ -~]*$/;

/** The longest prefix of a text without colours that fits into `columns`. */
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

/** Truncates a text without colours to `columns`. A truncated text ends in `…`. */
export function truncate(text: string, columns: number): string {
  // The rest cannot fit, so it is not measured.
  const head =
    text.length > columns * MAX_UNITS_PER_COLUMN ? text.slice(0, columns * MAX_UNITS_PER_COLUMN) : text;
  if (head === text && width(text) <= columns) return text;
  return columns < 1 ? '' : `${prefixThatFits(head, columns - 1)}…`;
}

/** Truncates or pads a text to exactly `columns`. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const shown = truncate(text, columns);
  const space = ' '.repeat(Math.max(0, columns - width(shown)));
  return side === 'left' ? shown + space : space + shown;
}
