/** The list of all containers, live. */

import { isExecEvent } from '../../../collectors/records/event-kinds.ts';
import { toSingleLine, truncate } from '../../../exporters/console/text.ts';
import type { ContainerSummary, EventEntry } from '../../../exporters/dashboard/api.ts';
import { eventLine } from '../terminal/event-line.ts';
import type { Size } from '../terminal/screen.ts';
import { describeState, isActive, orderBy, type Sort, sorts } from './columns.ts';
import { renderHostHeader } from './host-header.ts';
import { renderContainerTable } from './render-table.ts';
import { movingKeys, TextInput, type View, type ViewContext } from './view.ts';

/** Number of event lines below the table, by the rows of the screen. */
const eventRows = (rows: number): number => (rows >= 40 ? 8 : rows >= 20 ? 3 : 0);

export interface ContainerListOptions {
  readonly sort: Sort;
  readonly filter: string;
  readonly all: boolean;
  /** Called to open a container. */
  readonly onOpen: (id: string) => void;
}

export class ContainerList implements View {
  private readonly context: ViewContext;
  private readonly onOpen: (id: string) => void;
  private sort: Sort;
  private isReversed = false;
  private all: boolean;
  private readonly filter: TextInput;
  /** Id of the selected container. */
  private selectedId: string | undefined;
  /** Index of the first container that is shown. */
  private top = 0;
  private page = 10;

  constructor(context: ViewContext, options: ContainerListOptions) {
    this.context = context;
    this.sort = options.sort;
    this.all = options.all;
    this.filter = new TextInput(options.filter);
    this.onOpen = options.onOpen;
  }

  /** The containers that are shown, in order. */
  rows(): ContainerSummary[] {
    const order = orderBy(this.sort, Date.now());
    const direction = this.isReversed ? -1 : 1;
    return [...this.context.source.state.containers.values()]
      .filter((container) => this.all || isActive(container))
      .filter((container) => this.matchesFilter(container))
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

  render({ columns, rows: screenRows }: Size): string[] {
    const containers = this.rows();
    const head = renderHostHeader(this.context, columns);
    const events = this.eventLines(columns, eventRows(screenRows));
    this.page = Math.max(1, screenRows - head.length - 1 - events.length - 1);
    const selected = this.cursor(containers);
    this.top = Math.max(0, Math.min(this.top, selected, containers.length - this.page));
    if (selected >= this.top + this.page) this.top = selected - this.page + 1;
    const { sort, isReversed, top } = this;
    const state = { sort, isReversed, top, selected, rows: this.page };
    const table = renderContainerTable(this.context, containers, state, columns);
    if (containers.length === 0) table.push(this.context.paint('dim', this.emptyText()));
    while (table.length < this.page + 1) table.push('');
    return [...head, ...table, ...events, this.foot(columns)];
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
    this.selectedId = rows[to]?.id;
  }

  /** Index of the selected container, which can move; 0 once it is gone. */
  private cursor(rows: readonly ContainerSummary[]): number {
    return Math.max(
      0,
      rows.findIndex(({ id }) => id === this.selectedId),
    );
  }

  private matchesFilter(container: ContainerSummary): boolean {
    const { name, image, project, service } = container;
    return [name, image, project, service, describeState(container).text].some(
      (text) => text !== null && this.filter.matches(text),
    );
  }

  private emptyText(): string {
    if (this.filter.text !== '')
      return ` No containers match "${toSingleLine(this.filter.text)}" (Esc: clear filter)`;
    return this.all ? ' No containers' : ' No running containers (a: show stopped)';
  }

  /** The latest events. */
  private eventLines(columns: number, count: number): string[] {
    const { paint, source } = this.context;
    const isRelevant = (event: EventEntry) =>
      !isExecEvent(event.name) && !event.name.startsWith('portlight.inventory');
    const latest = source.state.events.filter(isRelevant).slice(-count);
    return Array.from({ length: count }, (_, index) => {
      const event = latest[index - (count - latest.length)];
      return event === undefined ? '' : eventLine(event, paint, columns);
    });
  }

  private foot(size: number): string {
    const { paint, unicode } = this.context;
    if (this.filter.isOpen || this.filter.text !== '') {
      const cursor = this.filter.isOpen ? (unicode ? '▏' : '_') : '  (Esc: clear)';
      return truncate(`/${toSingleLine(this.filter.text)}${cursor}`, size);
    }
    const arrows = unicode ? '↑↓' : 'arrows';
    const keys = `${arrows} Enter:open  /:filter  s:sort by ${this.sort}  r:reverse  a:all  ?:keys  q:quit`;
    return paint('dim', truncate(keys, size));
  }
}
