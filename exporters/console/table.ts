import { stripVTControlCharacters } from 'node:util';

const GAP = '   ';

/** Lines of a table whose columns are as wide as their widest cell; columns named in `right` end flush. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string[] {
  const width = (text: string) => stripVTControlCharacters(text).length;
  const widths = head.map((title, column) =>
    Math.max(width(title), ...rows.map((row) => width(row[column]!))),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - width(cell));
        return right.includes(head[column]!) ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd(),
  );
}
