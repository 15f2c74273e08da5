/** How commands print what they have found: for a person as wide as the terminal is, or for a program. */
import { type Paint, paintFor } from '../../exporters/console/colours.ts';
import { table } from '../../exporters/console/table.ts';
import { inCells, truncate } from '../../exporters/console/text.ts';

/** Columns of the terminal; undefined where the output goes elsewhere, and nothing is to be cut. */
export const terminalColumns = (): number | undefined =>
  process.stdout.isTTY ? Math.max(20, process.stdout.columns || 80) : undefined;

export const paint: Paint = (style, text) => paintFor(process.stdout)(style, text);

export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Titles of columns that end flush. */
  readonly right?: readonly string[];
}

/** A table for a person: its head is dim, and on a terminal no line is longer than that is wide. */
export function printTable({ head, rows, right }: Rows): void {
  const [titles = '', ...lines] = table(head, rows, right, terminalColumns());
  print([paint('dim', titles), ...lines].join('\n'));
}

/**
 * @param facts what a program gets
 * @param show prints the same for a person
 */
export async function printAs(format: string, facts: unknown, show: () => void): Promise<void> {
  if (format === 'json') print(JSON.stringify(facts, null, 2));
  else if (format === 'yaml') {
    const { stringify } = await import('yaml');
    print(stringify(facts).trimEnd());
  } else show();
}

/** Lines none of which is longer than the terminal is wide. */
export function inWidth(text: string): string {
  const columns = terminalColumns();
  if (columns === undefined) return text;
  return text
    .split('\n')
    .map((line) => truncate(inCells(line), columns))
    .join('\n');
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
