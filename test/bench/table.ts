/** Formats figures as a table, for the terminal and for docs/performance.md. */
import { formatTable } from '../../exporters/console/table.ts';
import { advantage, type Figure, missed } from './bench.ts';

const rounded = (value: number): string =>
  Number(value.toPrecision(3)).toLocaleString('en-US', { maximumSignificantDigits: 3 });

const withUnit = (value: number, unit: string): string => `${rounded(value)} ${unit}`.trim();

function targetOf(measured: Figure): string {
  const { most, least, times = {} } = measured.target ?? {};
  const parts = [
    ...(most === undefined ? [] : [`≤ ${withUnit(most, measured.unit)}`]),
    ...(least === undefined ? [] : [`≥ ${withUnit(least, measured.unit)}`]),
    ...Object.entries(times).map(([name, factor]) => `${rounded(factor)} × better than ${name}`),
  ];
  if (parts.length === 0) return '';
  const short = missed(measured);
  return `${parts.join(', ')}: ${short.length === 0 ? 'met' : `missed, ${short.join(', ')}`}`;
}

/** The head, and a row for each figure. Each peer with a figure has a column. */
function cellsOf(rows: readonly Figure[]): { head: string[]; cells: string[][] } {
  const others = [...new Set(rows.flatMap(({ beside = {} }) => Object.keys(beside)))];
  const cells = rows.map((measured) => [
    measured.what,
    withUnit(measured.value, measured.unit),
    ...others.map((name) => {
      const other = measured.beside?.[name];
      if (other === undefined) return '';
      return `${withUnit(other, measured.unit)} (${rounded(advantage(measured, other))} ×)`;
    }),
    targetOf(measured),
  ]);
  return { head: ['', 'Portlight', ...others, 'target'], cells };
}

/** A table for a terminal. */
export function terminalTable(rows: readonly Figure[]): string {
  const { head, cells } = cellsOf(rows);
  return formatTable(head, cells, head.slice(1, -1)).join('\n');
}

/** A table in Markdown. */
export function markdownTable(rows: readonly Figure[]): string[] {
  const { head, cells } = cellsOf(rows);
  return [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
}
