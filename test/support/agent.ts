/** Runs the agent as a user does: as a separate process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { FLOOD } from './docker.ts';
import { type Identity, nodeAs } from './identity.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

/** The command line to test: PORTLIGHT_TEST_CLI, or the sources. */
export const CLI = process.env.PORTLIGHT_TEST_CLI ?? join(import.meta.dirname, '../../agent/cli.ts');

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** The test's environment without the variables that configure an agent. */
function environment(variables: Variables): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(OTEL|PORTLIGHT|NODE_OPTIONS)/.test(name),
  );
  return { ...Object.fromEntries(inherited), ...variables };
}

const CHECKOUT = join(import.meta.dirname, '../..');
/** The directory that the agent needs to run: the checkout, or the built package. */
const root = CLI.startsWith(`${CHECKOUT}/`) ? CHECKOUT : join(dirname(realpathSync(CLI)), '../..');

const commandOf = (t: ExecutionContext, as: Identity | undefined): readonly string[] =>
  as === undefined ? [process.execPath, CLI] : nodeAs(t, as, root, CLI);

export class AgentProcess {
  stdout = '';
  stderr = '';
  readonly exit: Promise<ProcessExit>;
  private readonly child: ChildProcess;

  constructor(
    args: readonly string[],
    variables: Variables,
    cwd: string,
    [program = '', ...before]: readonly string[] = [process.execPath, CLI],
  ) {
    this.child = spawn(program, [...before, ...args], { env: environment(variables), cwd });
    this.child.stdout!.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.exit = new Promise((resolve) =>
      this.child.on('close', (code, signal) =>
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }),
      ),
    );
  }

  get pid(): number {
    return this.child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends SIGTERM and waits for the exit. */
  stop(): Promise<ProcessExit> {
    this.kill('SIGTERM');
    return this.exit;
  }
}

/** Runs a command of the CLI to its end. */
export function portlight(
  t: ExecutionContext,
  args: readonly string[],
  variables: Variables = {},
  as?: Identity,
): Promise<ProcessExit> {
  return new AgentProcess(args, variables, temporaryDirectory(t, as), commandOf(t, as)).exit;
}

export interface AgentOptions {
  readonly variables?: Variables;
  readonly args?: readonly string[];
  /** Data directory; a new one by default. */
  readonly dataDirectory?: string;
  /** The user who runs the agent; the test's own by default. */
  readonly as?: Identity;
}

/** Starts the agent and waits until it is subscribed to the daemon's events; stopped when the test ends. */
export async function spawnAgent(t: ExecutionContext, options: AgentOptions = {}): Promise<AgentProcess> {
  const agent = new AgentProcess(
    [
      ['run', '--listen', '127.0.0.1:0', '--interval', '500ms'],
      ['--data-dir', options.dataDirectory ?? temporaryDirectory(t, options.as)],
      options.args ?? [],
    ].flat(),
    { PORTLIGHT_CONTAINERS_EXCLUDE: `label=${FLOOD}`, ...options.variables },
    temporaryDirectory(t, options.as),
    commandOf(t, options.as),
  );
  t.teardown(async () => {
    agent.kill('SIGKILL');
    await agent.exit;
    if (!t.passed) t.log(`the agent said: ${agent.stderr}`);
  });
  await ready(agent);
  return agent;
}

/** The listen address from the agent's first log line. */
export function listenUrl(agent: AgentProcess): Promise<string> {
  return waitFor(
    `the agent's first line; so far: ${agent.stderr}`,
    () => /"listen":"([^"]+)"/.exec(agent.stderr)?.[1],
  );
}

async function ready(agent: AgentProcess): Promise<void> {
  const url = await listenUrl(agent);
  // A kept-alive connection could belong to an earlier agent on the same port.
  const headers = { connection: 'close' };
  await waitFor('the agent to be ready', async () => (await fetch(`${url}/readyz`, { headers })).ok);
}
