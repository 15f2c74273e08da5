/** Views of the screen. */
import type { Paint } from '../../../exporters/console/colours.ts';
import type { Size } from '../terminal/screen.ts';
import type { ViewSource } from '../watch/view-source.ts';

export interface View {
  /** The lines of the screen; none is wider than it. */
  render(size: Size): string[];
  /** @returns whether the view handles the key */
  key(name: string): boolean;
  /** Called when the view is no longer shown. */
  close?(): void;
}

/** Keys that move by rows or pages. */
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

/** Shared by all views. */
export interface ViewContext {
  readonly source: ViewSource;
  readonly paint: Paint;
  readonly unicode: boolean;
  /** Schedules drawing of the screen. */
  redraw(): void;
}

/** An editable line of text, such as a filter. */
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

  /** Handles all keys while the input is open. */
  key(name: string): void {
    if (name === 'return') this.isOpen = false;
    else if (name === 'escape') {
      this.text = this.before === this.text ? '' : this.before;
      this.isOpen = false;
    } else if (name === 'backspace') this.text = [...this.text].slice(0, -1).join('');
    else if (name === 'ctrl-u') this.text = '';
    else if ([...name].length === 1) this.text += name;
  }

  /** Whether a text contains the input, case-insensitively. */
  matches(text: string): boolean {
    return text.toLowerCase().includes(this.text.toLowerCase());
  }
}
