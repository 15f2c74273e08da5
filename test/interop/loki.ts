/** Starts a real Loki with the shipped configuration. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { replaced, startPeer } from './peer.ts';

const CONFIG = join(import.meta.dirname, '../../config/grafana-stack/loki.yaml');
/** Loki reports ready 15 s after it is. */
const START_MS = 90_000;

/** A stream with its lines, or a series with its values, each with a time. */
export interface LokiResult {
  /** Labels and structured metadata of lines. */
  readonly stream?: Readonly<Record<string, string>>;
  /** Labels of a series. */
  readonly metric?: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [string | number, string])[];
}

export interface Loki {
  /** URL for the agent's OTLP exporter. */
  readonly endpoint: string;
  /**
   * Evaluates LogQL over the last hour.
   * @throws {Error} with Loki's message about an invalid expression
   */
  query(expression: string): Promise<readonly LokiResult[]>;
}

/** Starts Loki on loopback. It stops, and its data is deleted, when the test ends. */
export async function startLoki(t: ExecutionContext, program: string): Promise<Loki> {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const config = replaced(readFileSync(CONFIG, 'utf8'), {
    'http_listen_port: 3100': `http_listen_port: ${port}`,
    'common:': 'common:\n  instance_addr: 127.0.0.1',
    ': /loki': `: ${directory}`,
  });
  writeFileSync(join(directory, 'loki.yaml'), config);
  const url = `http://127.0.0.1:${port}`;
  const command = [
    program,
    `-config.file=${join(directory, 'loki.yaml')}`,
    '-server.http-listen-address=127.0.0.1',
    '-server.grpc-listen-address=127.0.0.1',
    `-server.grpc-listen-port=${await freePort()}`,
    '-reporting.enabled=false',
  ];
  await startPeer(t, command, `${url}/ready`, { within: START_MS, cwd: directory });
  return {
    endpoint: `${url}/otlp`,
    async query(expression) {
      const start = String((Date.now() - 3_600_000) * 1e6);
      const asked = new URLSearchParams({ query: expression, start, limit: '5000', step: '15' });
      const response = await fetch(`${url}/loki/api/v1/query_range?${asked}`);
      if (!response.ok) throw new Error(`${expression}: ${response.status} ${await response.text()}`);
      return ((await response.json()) as { data: { result: LokiResult[] } }).data.result;
    },
  };
}
