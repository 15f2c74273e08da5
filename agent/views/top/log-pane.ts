/** The log of one container: it follows new lines, or is paused while the user scrolls. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Severity } from '../../../collectors/records/records.ts';
import { errorMessage } from '../../../collectors/shared/error-message.ts';
import { pad, toSingleLine, truncate } from '../../../exporters/console/text.ts';
import { styleOfSeverity } from '../terminal/event-line.ts';
import { type DisplayLine, severityName } from '../watch/log-line.ts';
import { movingKeys, TextInput, type ViewContext } from './view.ts';

/** Limit of lines in memory, and number of past lines that are read. */
const MAX_LINES = 5000;
const TAIL = 1000;
/** Longer lines are cut: no screen shows more. */
const MAX_TEXT = 4096;
const RETRY_MS = 1000;
/** `12:34:56.789 ` */
const CLOCK = 12;

/** Minimum severities. */
const LEVELS = [0, Severity.INFO, Severity.WARN, Severity.ERROR];

export class LogPane {
  readonly filter = new TextInput();
  private readonly context: ViewContext;
  private lines: DisplayLine[] = [];
  private minSeverity = 0;
  /** The last line on the screen; undefined while the pane follows new lines. */
  private anchor: DisplayLine | undefined;
  private problem: string | undefined;
  private readonly stopping = new AbortController();
  private page = 10;

  constructor(context: ViewContext, id: string) {
    this.context = context;
    void this.read(id);
  }

  close(): void {
    this.stopping.abort();
  }

  /** The title: filters, and whether the pane is paused. */
  get title(): string {
    const parts = ['log'];
    if (this.minSeverity > 0) parts.push(`${severityName(this.minSeverity)} and above`);
    if (this.filter.text !== '' || this.filter.isOpen)
      parts.push(`/${toSingleLine(this.filter.text)}${this.filter.isOpen ? '_' : ''}`);
    if (this.anchor !== undefined) parts.push('paused (End: follow)');
    if (this.problem !== undefined) parts.push(toSingleLine(this.problem));
    return parts.join(', ');
  }

  key(name: string): boolean {
    if (this.filter.isOpen) {
      this.filter.key(name);
      return true;
    }
    const keys: Readonly<Record<string, () => void>> = {
      ...movingKeys((by) => this.scroll(by), this.page),
      f: () => {
        this.anchor = undefined;
      },
      p: () => {
        this.anchor = this.anchor === undefined ? this.shown().at(-1) : undefined;
      },
      v: () => {
        this.minSeverity = LEVELS[(LEVELS.indexOf(this.minSeverity) + 1) % LEVELS.length]!;
      },
      '/': () => this.filter.open(),
    };
    const act = keys[name];
    act?.();
    return act !== undefined;
  }

  render(columns: number, rows: number): string[] {
    this.page = Math.max(1, rows);
    const { paint } = this.context;
    const shown = this.shown();
    const end = this.endOf(shown);
    const lines = shown.slice(Math.max(0, end - rows), end).map((line) => {
      const clock = new Date(line.seconds * 1000 + line.nanos / 1e6).toISOString().slice(11, 11 + CLOCK);
      const mark = line.stream === 'stderr' ? paint('red', '|') : paint('dim', '|');
      const text = truncate(toSingleLine(line.text), Math.max(0, columns - CLOCK - 3));
      const style = styleOfSeverity(line.severity);
      return `${paint('dim', pad(clock, CLOCK))} ${mark} ${style === undefined ? text : paint(style, text)}`;
    });
    if (lines.length === 0)
      lines.push(paint('dim', this.lines.length === 0 ? 'No log lines yet' : 'No matching lines'));
    return [...lines, ...Array<string>(Math.max(0, rows - lines.length)).fill('')];
  }

  private shown(): DisplayLine[] {
    return this.lines.filter(
      ({ severity, text }) =>
        severity >= this.minSeverity && (this.filter.text === '' || this.filter.matches(text)),
    );
  }

  /** Index after the last line on the screen. */
  private endOf(shown: readonly DisplayLine[]): number {
    if (this.anchor === undefined) return shown.length;
    const at = shown.indexOf(this.anchor);
    return at === -1 ? shown.length : at + 1;
  }

  private scroll(by: number): void {
    const shown = this.shown();
    const to = Math.max(Math.min(this.page, shown.length), this.endOf(shown) + by);
    this.anchor = to >= shown.length ? undefined : shown[to - 1];
  }

  private async read(id: string): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        for await (const line of this.context.source.readLog(id, TAIL, signal)) {
          this.problem = undefined;
          this.lines.push(
            line.text.length > MAX_TEXT ? { ...line, text: line.text.slice(0, MAX_TEXT) } : line,
          );
          if (this.lines.length > MAX_LINES) this.lines = this.lines.slice(-MAX_LINES / 2);
          this.context.redraw();
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.problem = errorMessage(error);
        this.lines = [];
        this.context.redraw();
        await sleep(RETRY_MS);
      }
    }
  }
}
