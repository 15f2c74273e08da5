/**
 * The whole terminal as lines that are drawn anew where they have changed. Whatever ends the process, the terminal is
 * left as it was found.
 * Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
import { emitKeypressEvents, type Interface, type Key } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

/** The alternate screen without a cursor; lines that are too long are cut, and not wrapped. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';
/** What is between them is shown at once, by terminals that know of it. */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';
/** How long after an escape something else makes it a sequence, ms. */
const ESCAPE_MS = 50;

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What was pressed: a character, or a name such as `up`, `return`, `escape`, `ctrl-c`. */
export function nameOfKey(text: string | undefined, { name, ctrl, sequence }: Key): string {
  if (ctrl && name !== undefined) return `ctrl-${name}`;
  const isCharacter = text !== undefined && [...text].length === 1 && text >= ' ' && text !== '\x7f';
  return isCharacter ? text : (name ?? sequence ?? '');
}

export class Screen {
  private readonly input: ReadStream;
  private readonly output: WriteStream;
  private shown: string[] = [];
  private isOpen = false;

  constructor(input: ReadStream = process.stdin, output: WriteStream = process.stdout) {
    this.input = input;
    this.output = output;
  }

  get size(): Size {
    return { columns: this.output.columns || 80, rows: this.output.rows || 24 };
  }

  /**
   * Takes the terminal.
   * @param onKey told of each key but those that end or suspend the process
   * @param onResize told that all has to be drawn anew
   */
  open(onKey: (name: string) => void, onResize: () => void): void {
    const iface = { escapeCodeTimeout: ESCAPE_MS } as unknown as Interface;
    emitKeypressEvents(this.input, iface);
    this.input.on('keypress', (text: string | undefined, key: Key) => {
      const name = nameOfKey(text, key);
      if (name === 'ctrl-c') this.end('SIGINT');
      else if (name === 'ctrl-z') this.suspend();
      else onKey(name);
    });
    this.output.on('resize', () => {
      this.shown = [];
      onResize();
    });
    for (const signal of ENDING) process.once(signal, () => this.end(signal));
    process.on('SIGCONT', () => {
      this.enter();
      onResize();
    });
    // What Node prints of a fault would go to the screen that is left.
    process.on('uncaughtExceptionMonitor', () => this.close());
    process.on('exit', () => this.close());
    this.enter();
  }

  /** Gives the terminal back. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.input.setRawMode(false);
    this.input.pause();
    this.output.write(LEAVE);
  }

  /** Draws what has changed. @param lines none wider than the screen; those that are missing are empty */
  draw(lines: readonly string[]): void {
    if (!this.isOpen) return;
    const { rows } = this.size;
    let changes = '';
    for (let row = 0; row < rows; row++) {
      const line = lines[row] ?? '';
      if (this.shown[row] === line) continue;
      this.shown[row] = line;
      // What is erased behind a line that ends in the last column would be its last character.
      changes += `\x1b[${row + 1};1H\x1b[0m\x1b[K${line}`;
    }
    if (changes !== '') this.output.write(`${BEGIN}${changes}\x1b[0m${END}`);
  }

  private enter(): void {
    this.isOpen = true;
    this.shown = [];
    this.input.setRawMode(true);
    this.input.resume();
    this.output.write(ENTER);
  }

  /** Ends as the signal ends others, that whoever started us knows of it: a shell shows 130 for SIGINT. */
  private end(signal: NodeJS.Signals): void {
    this.close();
    for (const each of ENDING) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  }

  private suspend(): void {
    this.close();
    process.kill(process.pid, 'SIGTSTP');
  }
}
