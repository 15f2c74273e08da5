import type { TableReading } from '../catalogue/entry.ts';

/** A value and the label of its line. */
export interface Cell {
  readonly label: string;
  readonly value: number;
}

/** A decimal number; anything else ("max", empty) is NaN. */
const decimal = (text: string | undefined): number =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;

/**
 * Parses a file that has a line for each device, page size or resource: one cell for each line that has the
 * column.
 */
export function parseTable(text: string, format: TableReading['format'], column: string): Cell[] {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const cell = (label: string, value: string | undefined): Cell => ({ label, value: decimal(value) });
  const all = ((): Cell[] => {
    switch (format) {
      case 'value':
        return [cell('', lines[0]?.[0])];
      case 'key':
        return lines.filter(([key]) => key === column).map(([, value]) => cell('', value));
      case 'cpus':
        return (lines[0] ?? []).map((value, index) => cell(String(index), value));
      case 'keys':
        return lines.map(([label = '', value]) => cell(label, value));
      case 'words':
        return lines.filter(([, word]) => word === column).map(([label = '', , value]) => cell(label, value));
      case 'pairs':
        return lines.map(([label = '', ...pairs]) =>
          cell(label, pairs.find((pair) => pair.startsWith(`${column}=`))?.slice(column.length + 1)),
        );
    }
  })();
  const isLabelledByFile = format === 'value' || format === 'key';
  return all.filter(({ label, value }) => Number.isFinite(value) && (label !== '' || isLabelledByFile));
}
