/** The list of keys. */
import { pad } from '../../../exporters/console/text.ts';
import type { Size } from '../terminal/screen.ts';
import type { View } from './view.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['In the list', ''],
  ['up down, j k, PgUp PgDn', 'move'],
  ['Enter, right', 'open a container'],
  ['/', 'filter by name, image, project, state'],
  ['s', 'sort by next column; r reverses'],
  ['n c m % t d p u', 'sort by name, CPU, memory, %, network, disk, PIDs, uptime'],
  ['a', 'show stopped containers'],
  ['q', 'quit'],
  ['', ''],
  ['In a container', ''],
  ['up down, PgUp PgDn, Home', 'scroll; End, f: follow; p: pause'],
  ['/', 'search the log'],
  ['v', 'minimum severity: info, warn, error'],
  ['l, e', 'full-screen log; full-screen events'],
  ['[ ]', 'previous, next container'],
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
    return ['Keys (any key: back)', '', ...lines].slice(0, rows);
  }
}
