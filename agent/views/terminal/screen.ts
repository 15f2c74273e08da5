/**
 * A full-screen terminal of lines, of which only changed ones are redrawn. The terminal is restored however the process
 * ends.
 * Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
import { emitKeypressEvents, type Interface, type Key } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

/** Alternate screen, hidden cursor, no line wrapping. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';
/** Synchronized update: terminals that support it show the output in between at once. */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';
/** How long after an escape character the rest of an escape sequence can arrive, ms. */
const ESCAPE_MS = 50;

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The name of a key: its character, or a name such as `up`, `return`, `escape`, `ctrl-c`. */
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
   * Takes control of the terminal.
   * @param onKey called with each key except those that end or suspend the process
   * @param onResize called when everything has to be redrawn
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
    // Otherwise Node would print the error to the alternate screen, where it is lost.
    process.on('uncaughtExceptionMonitor', () => this.close());
    process.on('exit', () => this.close());
    this.enter();
  }

  /** Restores the terminal. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.input.setRawMode(false);
    this.input.pause();
    this.output.write(LEAVE);
  }

  /** Draws changed lines. @param lines none wider than the screen; missing ones are empty */
  draw(lines: readonly string[]): void {
    if (!this.isOpen) return;
    const { rows } = this.size;
    let changes = '';
    for (let row = 0; row < rows; row++) {
      const line = lines[row] ?? '';
      if (this.shown[row] === line) continue;
      this.shown[row] = line;
      // Erased before writing: after a full line the cursor is on its last character, which would be erased.
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

  /** Ends the process by the signal itself, so that the parent sees it: a shell shows 130 for SIGINT. */
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
