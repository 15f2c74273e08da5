/** Bars and charts drawn with characters. */
import { pad, truncate, width } from '../../../exporters/console/text.ts';

/** Whether the terminal shows more than ASCII: it does unless the locale says otherwise, or it is the kernel's console. */
export const hasUnicode = (env: NodeJS.ProcessEnv = process.env): boolean => {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || 'UTF-8';
  return /utf-?8/i.test(locale) && env.TERM !== 'linux' && env.TERM !== 'dumb';
};

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar that is full at 1, with a resolution of an eighth of a column. */
export function bar(share: number | null, columns: number, unicode: boolean): string {
  if (share === null) return ' '.repeat(columns);
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8);
  // Any usage above 0 is visible.
  const shown = share > 0 ? Math.max(1, eighths) : 0;
  if (!unicode) return pad('#'.repeat(Math.ceil(shown / 8)), columns);
  return pad('█'.repeat(Math.floor(shown / 8)) + EIGHTHS[shown % 8], columns);
}

/** Bits of the dots of a braille character (U+2800), from bottom to top, in its left and right half. */
const LEFT = [0x40, 0x04, 0x02, 0x01];
const RIGHT = [0x80, 0x20, 0x10, 0x08];
const DOTS = 4;
const BLANK = 0x2800;

/** Number of values in a chart. */
export const valuesIn = (columns: number, unicode: boolean): number => (unicode ? columns * 2 : columns);

/**
 * An area chart, the newest value on the right.
 * @param values oldest first; null where nothing was measured
 * @param top value of the upper edge
 */
export function chart(
  values: readonly (number | null)[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
  top: number,
  unicode: boolean,
): string[] {
  const count = valuesIn(columns, unicode);
  const shown = values.slice(-count);
  const heights = [...Array<null>(count - shown.length).fill(null), ...shown].map((value) => {
    if (value === null || top <= 0) return 0;
    const height = Math.round((Math.min(value, top) / top) * rows * DOTS);
    return Math.max(1, height);
  });
  return Array.from({ length: rows }, (_, row) => {
    const foot = (rows - 1 - row) * DOTS;
    if (!unicode)
      return heights.map((height) => (height > foot + 1 ? '#' : height > foot ? '_' : ' ')).join('');
    let line = '';
    for (let column = 0; column < columns; column++) {
      let dots = 0;
      for (let dot = 0; dot < DOTS; dot++) {
        if (heights[column * 2]! > foot + dot) dots |= LEFT[dot]!;
        if (heights[column * 2 + 1]! > foot + dot) dots |= RIGHT[dot]!;
      }
      line += dots === 0 ? ' ' : String.fromCharCode(BLANK + dots);
    }
    return line;
  });
}

/** Rounds up to 1, 2 or 5 times a power of ten, so that a chart's scale does not change with each value. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= value)!;
}

/** Rounds up to a power of two. */
export const roundUpBytes = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));

/** Joins blocks of text side by side. @param parts with the same number of lines */
export function joinColumns(parts: readonly (readonly string[])[], gap: string): string[] {
  const [first = []] = parts;
  return first.map((_, row) => parts.map((part) => part[row]!).join(gap));
}

/** A horizontal rule with a title. */
export function rule(title: string, columns: number, unicode: boolean): string {
  const line = unicode ? '─' : '-';
  const head = truncate(`${line}${line} ${title} `, columns);
  return head + line.repeat(Math.max(0, columns - width(head)));
}
