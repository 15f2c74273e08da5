/** The keys. */
import { pad } from '../../../exporters/console/text.ts';
import type { Size } from '../terminal/screen.ts';
import type { View } from './view.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['In the list', ''],
  ['up down, j k, PgUp PgDn', 'move'],
  ['Enter, right', 'open a container'],
  ['/', 'only those that have a text (name, image, state)'],
  ['s', 'sort by the next column; r turns the order round'],
  ['n c m % t d p u', 'by name, CPU, memory, %, network, disk, pids, time'],
  ['a', 'show those that do not run, too'],
  ['q', 'quit'],
  ['', ''],
  ['In a container', ''],
  ['up down, PgUp PgDn, Home', 'read back; End, f: follow again; p: pause'],
  ['/', 'show only lines that have a text'],
  ['v', 'show only lines from info, warn, error on'],
  ['l, e', 'only the log; only the events'],
  ['[ ]', 'the container before, the one after'],
  ['Esc, q, left', 'back'],
  ['', ''],
  ['Ctrl-C, Ctrl-Z', 'quit, suspend'],
];

export class HelpView implements View {
  private readonly onClose: () => void;

  constructor(onClose: () => void) {
    this.onClose = onClose;
  }

  key(): boolean {
    this.onClose();
    return true;
  }

  render({ columns, rows }: Size): string[] {
    const lines = KEYS.map(([keys, what]) => pad(what === '' ? keys : `  ${pad(keys, 26)}${what}`, columns));
    return ['keys (any key: back)', '', ...lines].slice(0, rows);
  }
}
