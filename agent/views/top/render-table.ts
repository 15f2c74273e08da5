/** The table of containers: which columns fit, and its lines. */
import { pad, toSingleLine, width } from '../../../exporters/console/text.ts';
import type { ContainerSummary } from '../../../exporters/dashboard/api.ts';
import { type CellContext, isActive, type Sort, tableColumns } from './columns.ts';
import type { ViewContext } from './view.ts';

const GAP = ' ';
/** Width of the names. */
const MIN_NAME = 12;
const MAX_NAME = 40;
/** Number of columns with a bar, and width of a bar. */
const BAR_COLUMNS = 2;
const MIN_BAR = 6;
const MAX_BAR = 24;

export interface TableState {
  readonly sort: Sort;
  readonly isReversed: boolean;
  /** Index of the first container that is shown. */
  readonly top: number;
  /** Index of the selected container. */
  readonly selected: number;
  /** Number of containers that fit. */
  readonly rows: number;
}

interface Layout {
  readonly cell: CellContext;
  /** Columns of a name. */
  readonly name: number;
  readonly shown: typeof tableColumns;
}

/** Fits the table into the screen: full names come before optional columns, and bars take the remaining width. */
function layOut({ paint, unicode, source }: ViewContext, widest: number, size: number): Layout {
  const common = { paint, unicode, cpus: source.state.host?.cpus ?? 1, now: Date.now() };
  let shown = tableColumns.filter(({ from }) => size >= from);
  const widthWith = (bar: number) =>
    shown.reduce((sum, column) => sum + column.width({ ...common, bar }) + GAP.length, 0);
  while (widest + widthWith(MIN_BAR) > size) {
    const last = shown.reduce((most, { from }) => Math.max(most, from), 0);
    if (last === 0) break;
    shown = shown.filter(({ from }) => from !== last);
  }
  const free = size - widest - widthWith(0);
  const bar = Math.max(MIN_BAR, Math.min(MAX_BAR, Math.floor(free / BAR_COLUMNS)));
  const name = Math.max(MIN_NAME, Math.min(widest, size - widthWith(bar)));
  return { cell: { ...common, bar }, name, shown };
}

function nameCell({ paint }: ViewContext, container: ContainerSummary, columns: number, isSelected: boolean) {
  const isFiring = container.alerts.some(({ status }) => status === 'firing');
  const mark = isFiring ? '!' : isSelected ? '>' : ' ';
  const text = pad(`${mark}${toSingleLine(container.name)}`, columns);
  return isSelected ? text : isFiring ? paint('red', text) : isActive(container) ? text : paint('dim', text);
}

/**
 * @param size columns of the screen
 * @returns the titles, then a line for each container that is shown
 */
export function renderContainerTable(
  context: ViewContext,
  containers: readonly ContainerSummary[],
  { sort, isReversed, top, selected, rows }: TableState,
  size: number,
): string[] {
  const { paint, unicode } = context;
  const widest = containers.reduce(
    (most, { name }) => Math.max(most, width(toSingleLine(name)) + 2),
    MIN_NAME,
  );
  const { cell, name, shown } = layOut(context, Math.min(widest, MAX_NAME), size);
  const titles = shown.map((column) => {
    const isSort = column.sort === sort;
    const mark = isSort ? (unicode ? (isReversed ? '▲' : '▼') : '*') : '';
    const title = column.title === '' && isSort ? `%${mark}` : `${column.title}${mark}`;
    return pad(title, column.width(cell), column.side);
  });
  const lines = containers.slice(top, top + rows).map((container, index) => {
    const isSelected = top + index === selected;
    const cellContext = isSelected ? { ...cell, paint: (_: unknown, text: string) => text } : cell;
    const cells = shown.map((column) => {
      const text = column.cell(container, cellContext);
      return column.side === 'right' ? pad(text, column.width(cell), 'right') : text;
    });
    const line = [nameCell(context, container, name, isSelected), ...cells].join(GAP);
    return isSelected ? paint('inverse', pad(line, size)) : line;
  });
  const mark = sort === 'name' ? (unicode ? '▼' : '*') : '';
  const head = pad([pad(` NAME${mark}`, name), ...titles].join(GAP), size);
  return [paint('bold', head), ...lines];
}
