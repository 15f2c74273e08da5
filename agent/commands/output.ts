/** Output of commands: tables for people, JSON and YAML for programs. */
import { createPaint, type Paint } from '../../exporters/console/colours.ts';
import { formatTable } from '../../exporters/console/table.ts';
import { toSingleLine, truncate } from '../../exporters/console/text.ts';

/** Columns of the terminal; undefined if the output is not a terminal, and must not be cut. */
const terminalColumns = (): number | undefined =>
  process.stdout.isTTY ? Math.max(20, process.stdout.columns || 80) : undefined;

export const paint: Paint = (style, text) => createPaint(process.stdout)(style, text);

export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Titles of right-aligned columns. */
  readonly right?: readonly string[];
}

/** Prints a table with a dim header; on a terminal, lines are cut to its width. */
export function printTable({ head, rows, right }: Rows): void {
  const [titles = '', ...lines] = formatTable(head, rows, right, terminalColumns());
  print([paint('dim', titles), ...lines].join('\n'));
}

/**
 * @param facts printed as JSON or YAML
 * @param show prints the same for people
 */
export async function printAs(format: string, facts: unknown, show: () => void): Promise<void> {
  if (format === 'json') print(JSON.stringify(facts, null, 2));
  else if (format === 'yaml') {
    const { stringify } = await import('yaml');
    print(stringify(facts).trimEnd());
  } else show();
}

/** Cuts lines to the width of the terminal. */
export function fitTerminal(text: string): string {
  const columns = terminalColumns();
  if (columns === undefined) return text;
  return text
    .split('\n')
    .map((line) => truncate(toSingleLine(line), columns))
    .join('\n');
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
