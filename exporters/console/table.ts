import { toSingleLine, truncate, width } from './text.ts';

const GAP = '   ';
/** Minimum width of a text column, however narrow the terminal is. */
const MIN_WIDTH = 8;

/** Shrinks the widest columns, one cell at a time, until the table fits or no column can shrink. */
function shrinkColumns(widths: readonly number[], mayShrink: readonly boolean[], excess: number): number[] {
  const left = [...widths];
  for (let rest = excess; rest > 0; rest--) {
    let widest = -1;
    left.forEach((each, column) => {
      if (mayShrink[column] && each > MIN_WIDTH && each > (left[widest] ?? 0)) widest = column;
    });
    if (widest === -1) break;
    left[widest]!--;
  }
  return left;
}

/**
 * Formats a table. Each column is as wide as its widest cell, or as the terminal allows.
 * @param right titles of right-aligned columns: numbers, which are never truncated
 * @param columns width of the terminal; by default the table has its natural width
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
