/** A real Loki, with the configuration that users get. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from '../support/agent.ts';
import { freePort } from '../support/command.ts';
import { waitFor } from '../support/wait.ts';

const CONFIG = join(import.meta.dirname, '../../config/grafana-stack/loki.yaml');
/** It says that it is ready 15 s after it is. */
const START_MS = 90_000;

/** A stream and its lines, or a series and its values, each with its time. */
export interface Result {
  /** Labels and structured metadata of lines. */
  readonly stream?: Readonly<Record<string, string>>;
  /** Labels of a series. */
  readonly metric?: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [string | number, string])[];
}

export interface Loki {
  /** Where the agent sends to. */
  readonly endpoint: string;
  /**
   * What LogQL finds in the last hour.
   * @throws {Error} with what Loki says of an expression that it does not take
   */
  query(expression: string): Promise<readonly Result[]>;
}

/** Starts one on loopback; ended, and its data deleted, when the test ends. */
export async function startLoki(t: ExecutionContext, program: string): Promise<Loki> {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const config = readFileSync(CONFIG, 'utf8')
    .replace('http_listen_port: 3100', `http_listen_port: ${port}`)
    .replace('common:', 'common:\n  instance_addr: 127.0.0.1')
    .replaceAll(': /loki', `: ${directory}`);
  writeFileSync(join(directory, 'loki.yaml'), config);
  const child = spawn(
    program,
    [
      `-config.file=${join(directory, 'loki.yaml')}`,
      '-server.http-listen-address=127.0.0.1',
      '-server.grpc-listen-address=127.0.0.1',
      `-server.grpc-listen-port=${await freePort()}`,
      '-reporting.enabled=false',
    ],
    { cwd: directory },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  child.stdout.resume();
  const ended = new Promise((resolve) => child.on('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitFor('Loki', isReady, START_MS).catch((error: Error) => {
    throw new Error(`${error.message}: ${log.slice(-2000)}`);
  });
  return {
    endpoint: `${url}/otlp`,
    async query(expression) {
      const start = String((Date.now() - 3_600_000) * 1e6);
      const asked = new URLSearchParams({ query: expression, start, limit: '5000', step: '15' });
      const response = await fetch(`${url}/loki/api/v1/query_range?${asked}`);
      if (!response.ok) throw new Error(`${expression}: ${response.status} ${await response.text()}`);
      return ((await response.json()) as { data: { result: Result[] } }).data.result;
    },
  };
}
