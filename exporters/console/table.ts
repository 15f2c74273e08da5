import { toSingleLine, truncate, width } from './text.ts';

const GAP = '   ';
/** Columns that text keeps, however narrow the terminal. */
const LEAST = 8;

/** Takes from the widest columns, one at a time, until the sum fits or there is nothing left to take. */
function shrinkColumns(widths: readonly number[], mayShrink: readonly boolean[], excess: number): number[] {
  const left = [...widths];
  for (let rest = excess; rest > 0; rest--) {
    let widest = -1;
    left.forEach((each, column) => {
      if (mayShrink[column] && each > LEAST && each > (left[widest] ?? 0)) widest = column;
    });
    if (widest === -1) break;
    left[widest]!--;
  }
  return left;
}

/**
 * Lines of a table whose columns are as wide as their widest cell, or as there is room for.
 * @param right titles of columns that end flush: numbers, which are never cut
 * @param columns of the terminal that it has to fit into; by default it is as wide as it is
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
  columns?: number,
): string[] {
  const lines = [head, ...rows.map((row) => row.map(toSingleLine))];
  const natural = head.map((_, column) =>
    lines.reduce((most, row) => Math.max(most, width(row[column]!)), 0),
  );
  const whole = natural.reduce((sum, each) => sum + each, 0) + GAP.length * (head.length - 1);
  const widths =
    columns === undefined || whole <= columns
      ? natural
      : shrinkColumns(
          natural,
          head.map((title) => !right.includes(title)),
          whole - columns,
        );
  return lines.map((row) => {
    const line = row
      .map((given, column) => {
        const cell = truncate(given, widths[column]!);
        const padding = ' '.repeat(widths[column]! - width(cell));
        return right.includes(head[column]!) ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd();
    return columns === undefined ? line : truncate(line, columns);
  });
}
