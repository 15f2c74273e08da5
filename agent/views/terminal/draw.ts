/** Bars and charts of characters. */
import { pad, truncate, width } from '../../../exporters/console/text.ts';

/** Whether the terminal shows more than ASCII: unless a locale says otherwise, and but for the kernel's own console. */
export const hasUnicode = (env: NodeJS.ProcessEnv = process.env): boolean => {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || 'UTF-8';
  return /utf-?8/i.test(locale) && env.TERM !== 'linux' && env.TERM !== 'dumb';
};

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of so many columns that is full at 1, exact to an eighth of a column. */
export function bar(share: number | null, columns: number, unicode: boolean): string {
  if (share === null) return ' '.repeat(columns);
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8);
  // Whatever is in use can be seen.
  const shown = share > 0 ? Math.max(1, eighths) : 0;
  if (!unicode) return pad('#'.repeat(Math.ceil(shown / 8)), columns);
  return pad('█'.repeat(Math.floor(shown / 8)) + EIGHTHS[shown % 8], columns);
}

/** Dots of a braille character from its foot up, left and right: U+2800 and a bit for each. */
const LEFT = [0x40, 0x04, 0x02, 0x01];
const RIGHT = [0x80, 0x20, 0x10, 0x08];
const DOTS = 4;
const BLANK = 0x2800;

/** How many values a chart of so many columns shows. */
export const valuesIn = (columns: number, unicode: boolean): number => (unicode ? columns * 2 : columns);

/**
 * An area chart, the newest value on the right.
 * @param values oldest first; null where nothing was measured
 * @param top the value that reaches the upper edge
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

/** The least of 1, 2 and 5 with zeros that a value fits below: a chart that does not jump with each of them. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= value)!;
}

/** The least power of two that so many bytes fit into. */
export const roundUpBytes = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));

/** Texts side by side, each in its own columns. @param parts lines of the same number */
export function beside(parts: readonly (readonly string[])[], gap: string): string[] {
  const [first = []] = parts;
  return first.map((_, row) => parts.map((part) => part[row]!).join(gap));
}

/** A rule with a title in it. */
export function rule(title: string, columns: number, unicode: boolean): string {
  const line = unicode ? '─' : '-';
  const head = truncate(`${line}${line} ${title} `, columns);
  return head + line.repeat(Math.max(0, columns - width(head)));
}
