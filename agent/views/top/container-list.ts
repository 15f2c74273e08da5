/** All containers as a live table. */
import { bytes } from '../../../exporters/console/format.ts';
import { inCells, pad, truncate, width } from '../../../exporters/console/text.ts';
import type { ContainerSummary, EventEntry } from '../../../exporters/dashboard/api.ts';
import { bar } from '../terminal/draw.ts';
import { eventLine } from '../terminal/event-line.ts';
import type { Size } from '../terminal/screen.ts';
import { isExecEvent } from '../watch/view-source.ts';
import {
  type CellContext,
  columns,
  describeState,
  isActive,
  orderBy,
  type Sort,
  sorts,
  styleOfShare,
} from './columns.ts';
import { movingKeys, TextInput, type View, type ViewContext } from './view.ts';

const GAP = ' ';
const LEAST_NAME = 12;
const LONGEST_NAME = 40;
const BARS = 2;
const LEAST_BAR = 6;
const LONGEST_BAR = 24;
/** Lines of events below the table, by the rows of the screen. */
const eventRows = (rows: number): number => (rows >= 40 ? 8 : rows >= 20 ? 3 : 0);

export interface ContainerListOptions {
  readonly sort: Sort;
  readonly filter: string;
  readonly all: boolean;
  /** A container was chosen. */
  readonly onOpen: (id: string) => void;
}

export class ContainerList implements View {
  private readonly stage: ViewContext;
  private readonly onOpen: (id: string) => void;
  private sort: Sort;
  private isReversed = false;
  private all: boolean;
  private readonly filter: TextInput;
  /** Id of the container that the cursor is on. */
  private selected: string | undefined;
  /** First row that is shown. */
  private top = 0;
  private page = 10;

  constructor(stage: ViewContext, options: ContainerListOptions) {
    this.stage = stage;
    this.sort = options.sort;
    this.all = options.all;
    this.filter = new TextInput(options.filter);
    this.onOpen = options.onOpen;
  }

  /** The containers that are shown, in order. */
  rows(): ContainerSummary[] {
    const order = orderBy(this.sort, Date.now());
    const direction = this.isReversed ? -1 : 1;
    return [...this.stage.source.state.containers.values()]
      .filter((container) => this.all || isActive(container))
      .filter((container) => this.isWanted(container))
      .sort((a, b) => Number(isActive(b)) - Number(isActive(a)) || direction * order(a, b));
  }

  key(name: string): boolean {
    if (this.filter.isOpen) {
      this.filter.key(name);
      return true;
    }
    const act = this.keys()[name];
    act?.();
    return act !== undefined;
  }

  render(size: Size): string[] {
    const { paint } = this.stage;
    const rows = this.rows();
    const head = this.head(size);
    const events = this.events(size);
    const foot = this.foot(size.columns);
    this.page = Math.max(1, size.rows - head.length - 1 - events.length - 1);
    const index = this.cursor(rows);
    this.top = Math.max(0, Math.min(this.top, index, rows.length - this.page));
    if (index >= this.top + this.page) this.top = index - this.page + 1;

    const widest = rows.reduce((most, each) => Math.max(most, width(inCells(each.name)) + 2), LEAST_NAME);
    const { look, name, shown } = this.layout(Math.min(widest, LONGEST_NAME), size.columns);
    const titles = shown.map((column) => {
      const isSort = column.sort === this.sort;
      const mark = isSort ? (this.stage.unicode ? (this.isReversed ? '▲' : '▼') : '*') : '';
      const title = column.title === '' && isSort ? `%${mark}` : `${column.title}${mark}`;
      return pad(title, column.width(look), column.side);
    });
    const mark = this.sort === 'name' ? (this.stage.unicode ? '▼' : '*') : '';
    const lines = rows.slice(this.top, this.top + this.page).map((container, at) => {
      const isSelected = this.top + at === index;
      const painted = isSelected ? { ...look, paint: (_: unknown, text: string) => text } : look;
      const cells = shown.map((column) => {
        const cell = column.cell(container, painted);
        return column.side === 'right' ? pad(cell, column.width(look), 'right') : cell;
      });
      const row = [this.name(container, name, isSelected), ...cells].join(GAP);
      return isSelected ? paint('inverse', pad(row, size.columns)) : row;
    });
    while (lines.length < this.page) lines.push('');
    if (rows.length === 0) lines[0] = paint('dim', this.nothing());
    const title = pad([pad(` NAME${mark}`, name), ...titles].join(GAP), size.columns);
    return [...head, paint('bold', title), ...lines, ...events, foot];
  }

  private keys(): Readonly<Record<string, () => void>> {
    const { filter } = this;
    return {
      ...movingKeys((by) => this.move(by), this.page),
      return: () => this.open(),
      right: () => this.open(),
      '/': () => filter.open(),
      ...(filter.text === ''
        ? {}
        : {
            escape: () => {
              filter.text = '';
            },
          }),
      a: () => {
        this.all = !this.all;
      },
      r: () => {
        this.isReversed = !this.isReversed;
      },
      s: () => this.sortBy(sorts[(sorts.indexOf(this.sort) + 1) % sorts.length]!),
      n: () => this.sortBy('name'),
      c: () => this.sortBy('cpu'),
      m: () => this.sortBy('memory'),
      '%': () => this.sortBy('share'),
      t: () => this.sortBy('network'),
      d: () => this.sortBy('disk'),
      p: () => this.sortBy('pids'),
      u: () => this.sortBy('up'),
    };
  }

  private sortBy(sort: Sort): void {
    this.sort = sort;
    this.isReversed = false;
  }

  private open(): void {
    const rows = this.rows();
    const found = rows[this.cursor(rows)];
    if (found !== undefined) this.onOpen(found.id);
  }

  private move(by: number): void {
    const rows = this.rows();
    const to = Math.max(0, Math.min(rows.length - 1, this.cursor(rows) + by));
    this.selected = rows[to]?.id;
  }

  /** Where the cursor is: on the same container wherever it moves to, and on the first where that is gone. */
  private cursor(rows: readonly ContainerSummary[]): number {
    return Math.max(
      0,
      rows.findIndex(({ id }) => id === this.selected),
    );
  }

  private isWanted(container: ContainerSummary): boolean {
    const { name, image, project, service } = container;
    return [name, image, project, service, describeState(container).text].some(
      (text) => text !== null && this.filter.matches(text),
    );
  }

  /** Names have what they need, before the columns that one can do without, and bars have what is left. */
  private layout(widest: number, size: number): { look: CellContext; name: number; shown: typeof columns } {
    const { paint, unicode, source } = this.stage;
    const common = { paint, unicode, cpus: source.state.host?.cpus ?? 1, now: Date.now() };
    let shown = columns.filter(({ from }) => size >= from);
    const taken = (bar: number) =>
      shown.reduce((sum, column) => sum + column.width({ ...common, bar }) + GAP.length, 0);
    while (widest + taken(LEAST_BAR) > size) {
      const last = shown.reduce((most, { from }) => Math.max(most, from), 0);
      if (last === 0) break;
      shown = shown.filter(({ from }) => from !== last);
    }
    const bar = Math.max(LEAST_BAR, Math.min(LONGEST_BAR, Math.floor((size - widest - taken(0)) / BARS)));
    const name = Math.max(LEAST_NAME, Math.min(widest, size - taken(bar)));
    return { look: { ...common, bar }, name, shown };
  }

  private name(container: ContainerSummary, columns: number, isSelected: boolean): string {
    const { paint } = this.stage;
    const isFiring = container.alerts.some(({ status }) => status === 'firing');
    const mark = isFiring ? '!' : isSelected ? '>' : ' ';
    const text = pad(`${mark}${inCells(container.name)}`, columns);
    return isSelected
      ? text
      : isFiring
        ? paint('red', text)
        : isActive(container)
          ? text
          : paint('dim', text);
  }

  private nothing(): string {
    if (this.filter.text !== '') return ` nothing fits "${inCells(this.filter.text)}" (Esc)`;
    return this.all ? ' no container' : ' no container runs (a shows those that do not, too)';
  }

  /** The host, and how many there are. */
  private head({ columns: size }: Size): string[] {
    const { paint, unicode, source } = this.stage;
    const { host, containers, problem: trouble } = source.state;
    const all = [...containers.values()];
    const running = all.filter(isActive).length;
    const clock = `${new Date().toISOString().slice(11, 19)}Z`;
    const counts = `${running} running, ${all.length - running} stopped`;
    const left = truncate(`portlight top  ${source.origin}`, size - counts.length - clock.length - 4);
    const title = paint('bold', pad(left, size - counts.length - clock.length - 4));
    const first = `${title}  ${counts}  ${paint('dim', clock)}`;
    if (trouble !== undefined) return [first, paint('yellow', pad(inCells(trouble), size))];
    if (host === null) return [first, ''];
    const share = (part: number | null, whole: number | null) =>
      part === null || whole === null ? null : part / whole;
    const gauge = (name: string, value: number | null, text: string) => {
      const columns = Math.max(6, Math.floor(size / 2) - width(text) - name.length - 4);
      return `${paint('bold', name)} ${paint(styleOfShare(value), bar(value, columns, unicode))} ${text}`;
    };
    const cpu = `${host.cpu?.toFixed(2) ?? '-'} of ${host.cpus ?? '-'} CPUs`;
    const memory = `${bytes(host.memory ?? undefined)} of ${bytes(host.memoryTotal ?? undefined)}`;
    const second = [
      gauge('CPU', share(host.cpu, host.cpus), cpu),
      gauge('MEM', share(host.memory, host.memoryTotal), memory),
    ].join('  ');
    return [first, second];
  }

  /** What happened last. */
  private events({ columns: size, rows }: Size): string[] {
    const count = eventRows(rows);
    const { state } = this.stage.source;
    const isNews = (event: EventEntry) =>
      !isExecEvent(event) && !event.name.startsWith('portlight.inventory');
    const last = state.events.filter(isNews).slice(-count);
    return Array.from({ length: count }, (_, at) => {
      const event = last[at - (count - last.length)];
      return event === undefined ? '' : eventLine(event, this.stage.paint, size);
    });
  }

  private foot(size: number): string {
    const { paint, unicode } = this.stage;
    if (this.filter.isOpen || this.filter.text !== '') {
      const cursor = this.filter.isOpen ? (unicode ? '▏' : '_') : '  (Esc: all)';
      return truncate(`/${inCells(this.filter.text)}${cursor}`, size);
    }
    const arrows = unicode ? '↑↓' : 'arrows';
    const keys = `${arrows} Enter:open  /:filter  s:sort by ${this.sort}  r:reverse  a:all  ?:keys  q:quit`;
    return paint('dim', truncate(keys, size));
  }
}
