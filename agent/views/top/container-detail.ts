/** One container: usage with charts, log and events. */

import { isExecEvent } from '../../../collectors/records/event-kinds.ts';
import { pad, toSingleLine, truncate } from '../../../exporters/console/text.ts';
import type { ContainerSummary } from '../../../exporters/dashboard/api.ts';
import { rule } from '../terminal/draw.ts';
import { eventLine } from '../terminal/event-line.ts';
import type { Size } from '../terminal/screen.ts';
import type { ContainerSeries } from '../watch/view-source.ts';
import { charts } from './charts.ts';
import { describeState, formatTimeInState, isActive } from './columns.ts';
import { LogPane } from './log-pane.ts';
import type { View, ViewContext } from './view.ts';

/** Time span of the charts, and interval of their updates. */
const CHART_SPAN_MS = 3_600_000;
const UPDATE_MS = 2000;

/** The part that has the whole screen. */
type Zoom = 'none' | 'log' | 'events';

export interface ContainerDetailOptions {
  readonly id: string;
  readonly onClose: () => void;
  /** Called to go to the previous (-1) or next (1) container of the list. */
  readonly onStep: (by: number) => void;
}

export class ContainerDetail implements View {
  private readonly context: ViewContext;
  private readonly options: ContainerDetailOptions;
  private readonly log: LogPane;
  private readonly timer: NodeJS.Timeout;
  private series: ContainerSeries | undefined;
  private zoom: Zoom = 'none';
  /** Last known state; kept after the container is removed. */
  private container: ContainerSummary | undefined;

  constructor(context: ViewContext, options: ContainerDetailOptions) {
    this.context = context;
    this.options = options;
    this.log = new LogPane(context, options.id);
    this.timer = setInterval(() => void this.updateSeries(), UPDATE_MS);
    void this.updateSeries();
  }

  close(): void {
    clearInterval(this.timer);
    this.log.close();
  }

  key(name: string): boolean {
    if (this.log.filter.isOpen) return this.log.key(name);
    switch (name) {
      case 'escape':
      case 'left':
      case 'q':
      case 'backspace':
        if (this.zoom === 'none') this.options.onClose();
        else this.zoom = 'none';
        return true;
      case 'l':
        this.zoom = this.zoom === 'log' ? 'none' : 'log';
        return true;
      case 'e':
        this.zoom = this.zoom === 'events' ? 'none' : 'events';
        return true;
      case 'tab':
      case ']':
        this.options.onStep(1);
        return true;
      case '[':
        this.options.onStep(-1);
        return true;
      default:
        return this.log.key(name);
    }
  }

  render({ columns, rows }: Size): string[] {
    const { source, unicode } = this.context;
    const { state } = source;
    const found = state.containers.get(this.options.id);
    this.container = found ?? this.container;
    const { container } = this;
    if (container === undefined) return ['Container no longer exists (Esc: back)'];
    const head = this.head(container, found === undefined, columns);
    const foot = this.foot(columns);
    const chartRows = this.zoom !== 'none' || !isActive(container) ? 0 : rows >= 40 ? 10 : rows >= 30 ? 7 : 4;
    const drawn =
      chartRows === 0
        ? []
        : charts(this.context, container, this.series, state.host?.cpus ?? 1, { columns, rows: chartRows });
    const left = rows - head.length - drawn.length - 1;
    const all = state.events.filter(
      (event) => event.container?.id === container.id && !isExecEvent(event.name),
    );
    if (this.zoom === 'events')
      return [...head, rule('events', columns, unicode), ...this.events(all, columns, left - 1), foot];
    const eventRows = this.zoom === 'log' ? 0 : Math.min(all.length, rows >= 40 ? 8 : 3);
    const eventLines =
      eventRows === 0 ? [] : [rule('events', columns, unicode), ...this.events(all, columns, eventRows)];
    const logRows = left - eventLines.length - 1;
    const lines = this.log.render(columns, logRows);
    return [...head, ...drawn, ...eventLines, rule(this.log.title, columns, unicode), ...lines, foot];
  }

  private events(all: Parameters<typeof eventLine>[0][], columns: number, rows: number): string[] {
    const { paint } = this.context;
    const lines = all.slice(-rows).map((event) => eventLine(event, paint, columns));
    if (lines.length === 0) lines.push(paint('dim', 'No events yet'));
    return [...lines, ...Array<string>(Math.max(0, rows - lines.length)).fill('')];
  }

  private head(container: ContainerSummary, isGone: boolean, columns: number): string[] {
    const { paint } = this.context;
    const { text, style } = isGone ? { text: 'removed', style: 'dim' as const } : describeState(container);
    const { name, image, project, service, restarts } = container;
    const where = [project, service].filter((part) => part !== null).join('/');
    const facts = [
      `for ${formatTimeInState(container, Date.now())}`,
      ...(restarts === null ? [] : [`${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`]),
      ...(where === '' ? [] : [where]),
      image,
      container.id.slice(0, 12),
    ];
    const shownName = truncate(toSingleLine(name), Math.floor(columns / 2));
    const rest = columns - shownName.length - text.length - 4;
    const line = `${paint('bold', shownName)}  ${paint(style, text)}  ${truncate(toSingleLine(facts.join('  ')), rest)}`;
    const alerts = container.alerts
      .filter(({ status }) => status === 'firing')
      .map(({ severity, summary }) =>
        paint('red', truncate(toSingleLine(`! ${severity}: ${summary}`), columns)),
      );
    return [line, ...alerts.slice(0, 3)];
  }

  private foot(columns: number): string {
    const { paint, unicode } = this.context;
    const arrows = unicode ? '↑↓' : 'arrows';
    const keys = `Esc:back  ${arrows}:scroll  /:search  v:severity  l:log  e:events  [ ]:prev/next  ?:keys`;
    return paint('dim', pad(keys, columns));
  }

  private async updateSeries(): Promise<void> {
    try {
      this.series = await this.context.source.series(this.options.id, Date.now() - CHART_SPAN_MS);
      this.context.redraw();
    } catch {
      // The state of the source has the problem; the charts stay as they are.
    }
  }
}
