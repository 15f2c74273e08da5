/** What the screen shows at a time. */
import type { Paint } from '../../../exporters/console/colours.ts';
import type { Size } from '../terminal/screen.ts';
import type { ViewSource } from '../watch/view-source.ts';

export interface View {
  /** Lines none of which is wider than the screen. */
  render(size: Size): string[];
  /** @returns whether the key means anything here */
  key(name: string): boolean;
  /** It is shown no more. */
  close?(): void;
}

/** Keys that move something by rows or pages. */
export const movingKeys = (
  move: (by: number) => void,
  page: number,
): Readonly<Record<string, () => void>> => ({
  up: () => move(-1),
  k: () => move(-1),
  down: () => move(1),
  j: () => move(1),
  pageup: () => move(-page),
  pagedown: () => move(page),
  home: () => move(Number.NEGATIVE_INFINITY),
  end: () => move(Number.POSITIVE_INFINITY),
});

/** What views have in common. */
export interface ViewContext {
  readonly source: ViewSource;
  readonly paint: Paint;
  readonly unicode: boolean;
  /** Has the screen drawn anew. */
  redraw(): void;
}

/** A line of text that is being written, such as a filter. */
export class TextInput {
  text: string;
  isOpen = false;
  private before = '';

  constructor(text = '') {
    this.text = text;
  }

  open(): void {
    this.isOpen = true;
    this.before = this.text;
  }

  /** Takes every key while it is open. */
  key(name: string): void {
    if (name === 'return') this.isOpen = false;
    else if (name === 'escape') {
      this.text = this.before === this.text ? '' : this.before;
      this.isOpen = false;
    } else if (name === 'backspace') this.text = [...this.text].slice(0, -1).join('');
    else if (name === 'ctrl-u') this.text = '';
    else if ([...name].length === 1) this.text += name;
  }

  /** Whether a text has it, without regard to case. */
  matches(text: string): boolean {
    return text.toLowerCase().includes(this.text.toLowerCase());
  }
}
