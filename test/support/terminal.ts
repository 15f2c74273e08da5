/** A terminal of a given size, emulated by tmux. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { CLI } from './agent.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

const run = promisify(execFile);

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly variables?: Readonly<Record<string, string>>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A shell command line that runs the CLI. */
export const portlightLine = (args: readonly string[]): string =>
  [process.execPath, CLI, ...args].map(quoted).join(' ');

export class Terminal {
  private readonly socket: string;

  private constructor(socket: string) {
    this.socket = socket;
  }

  /**
   * Runs a line in sh, then prints its exit code (`left with 0`) and the modes of the terminal (stty). The terminal is
   * closed after the test.
   */
  static async start(
    t: ExecutionContext,
    line: string,
    { columns, rows, variables = {} }: TerminalOptions,
  ): Promise<Terminal> {
    const directory = temporaryDirectory(t);
    const terminal = new Terminal(join(directory, 'tmux'));
    t.teardown(() => terminal.tmux(['kill-server']).catch(() => {}));
    // Ctrl-C must end the command, but not the shell.
    const script = `trap : INT\n${line}\necho "left with $?"; stty -a; exec sleep 600`;
    const given = { LANG: 'C.UTF-8', DOCKER_HOST: process.env.DOCKER_HOST!, PORTLIGHT_LISTEN: '127.0.0.1:1' };
    await run(
      'tmux',
      [
        ['-f', '/dev/null', '-S', terminal.socket],
        ['new-session', '-d', '-x', String(columns), '-y', String(rows)],
        // tmux overrides PATH and TERM.
        ['-c', directory, 'env', ...Object.entries({ ...given, ...variables }).map((pair) => pair.join('='))],
        ['sh', '-c', script],
      ].flat(),
    );
    return terminal;
  }

  /** The lines of the screen, without trailing spaces. */
  async lines(): Promise<string[]> {
    return (await this.tmux(['capture-pane', '-p'])).split('\n').slice(0, -1);
  }

  async text(): Promise<string> {
    return (await this.lines()).join('\n');
  }

  /** The screen with colour sequences. */
  styled(): Promise<string> {
    return this.tmux(['capture-pane', '-p', '-e']);
  }

  /** Presses keys by their tmux names (`Enter`, `Escape`, `C-c`, `Down`), or types text. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.tmux(['send-keys', key]);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.tmux(['resize-window', '-x', String(columns), '-y', String(rows)]);
  }

  /** Waits until the screen matches. */
  async shows(pattern: RegExp): Promise<string> {
    let last = '';
    const fits = async () => {
      last = await this.text();
      return pattern.test(last) && last;
    };
    try {
      return await waitFor(String(pattern), fits);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it shows:\n${last}`);
    }
  }

  /** The title that programs have set. */
  async title(): Promise<string> {
    return (await this.tmux(['display-message', '-p', '#{pane_title}'])).trim();
  }

  /** Process id of the running command. */
  async childPid(): Promise<number> {
    const shell = (await this.tmux(['display-message', '-p', '#{pane_pid}'])).trim();
    return Number(readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim().split(' ')[0]);
  }

  private async tmux(args: readonly string[]): Promise<string> {
    const { stdout } = await run('tmux', ['-S', this.socket, ...args]);
    return stdout;
  }
}
