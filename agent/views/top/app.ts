/** `portlight top`: switches between views and schedules drawing. */
import type { Paint } from '../../../exporters/console/colours.ts';
import { Screen } from '../terminal/screen.ts';
import type { ViewSource } from '../watch/view-source.ts';
import { ContainerDetail } from './container-detail.ts';
import { ContainerList, type ContainerListOptions } from './container-list.ts';
import { HelpView } from './help.ts';
import type { View, ViewContext } from './view.ts';

/** Minimum time between two frames. */
const MIN_FRAME_MS = 80;
/** Without changes, durations and the clock are still updated. */
const TICK_MS = 1000;

export class TopApp {
  private readonly screen = new Screen();
  private readonly context: ViewContext;
  private readonly list: ContainerList;
  private view: View;
  private help: HelpView | undefined;
  private due: NodeJS.Timeout | undefined;
  private tick: NodeJS.Timeout | undefined;
  private readonly closed = Promise.withResolvers<void>();

  constructor(
    source: ViewSource,
    paint: Paint,
    unicode: boolean,
    options: Omit<ContainerListOptions, 'onOpen'>,
  ) {
    this.context = { source, paint, unicode, redraw: () => this.redraw() };
    this.list = new ContainerList(this.context, { ...options, onOpen: (id) => this.open(id) });
    this.view = this.list;
  }

  /** Runs until the user quits, then restores the terminal. */
  async run(): Promise<void> {
    this.screen.open(
      (name) => this.key(name),
      () => this.draw(),
    );
    this.tick = setInterval(() => this.draw(), TICK_MS);
    this.draw();
    try {
      await this.closed.promise;
    } finally {
      clearInterval(this.tick);
      clearTimeout(this.due);
      this.view.close?.();
      this.screen.close();
    }
  }

  /** Schedules a frame. */
  redraw(): void {
    this.due ??= setTimeout(() => {
      this.due = undefined;
      this.draw();
    }, MIN_FRAME_MS);
  }

  private draw(): void {
    this.screen.draw((this.help ?? this.view).render(this.screen.size));
  }

  private key(name: string): void {
    const view = this.help ?? this.view;
    if (!view.key(name)) {
      if (name === 'q') this.closed.resolve();
      else if (name === '?') this.help = new HelpView(() => this.showHelp(undefined));
    }
    this.draw();
  }

  private showHelp(help: HelpView | undefined): void {
    this.help = help;
  }

  private show(view: View): void {
    this.view.close?.();
    this.view = view;
  }

  private open(id: string): void {
    this.show(
      new ContainerDetail(this.context, {
        id,
        onClose: () => this.show(this.list),
        onStep: (by) => {
          const rows = this.list.rows();
          const at = rows.findIndex((row) => row.id === id);
          const next = rows[(at + by + rows.length) % rows.length];
          if (next !== undefined) this.open(next.id);
        },
      }),
    );
  }
}
