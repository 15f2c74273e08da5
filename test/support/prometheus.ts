/** A real Prometheus that scrapes both endpoints of an agent. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { freePort } from './port.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait.ts';

export interface PrometheusResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: [number, string];
}

export interface Prometheus {
  /** The current results; empty when Prometheus does not answer. */
  query(expression: string): Promise<PrometheusResult[]>;
  /** Waits for a first result. */
  waitForResult(expression: string): Promise<PrometheusResult>;
  /** Warnings and errors in its log. */
  logErrors(): string[];
}

/**
 * Starts a Prometheus that scrapes the agent every second, and waits for the first scrape. It ends with the
 * test.
 * @param agentUrl where the agent listens
 * @param ruleFiles paths of rule files, evaluated every second
 */
export async function startPrometheus(
  t: ExecutionContext,
  agentUrl: string,
  ruleFiles: readonly string[] = [],
): Promise<Prometheus> {
  const directory = temporaryDirectory(t);
  const job = (job_name: string, metrics_path: string) => ({
    job_name,
    metrics_path,
    static_configs: [{ targets: [new URL(agentUrl).host] }],
  });
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ruleFiles,
    scrape_configs: [job('portlight', '/metrics'), job('cadvisor', '/metrics/cadvisor')],
  };
  // JSON is YAML.
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn('prometheus', [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
  ]);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (line) => {
    log += line;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });

  const get = async <T>(path: string): Promise<T | undefined> => {
    const response = await fetch(`http://${address}/api/v1/${path}`).catch(() => undefined);
    return response?.ok ? ((await response.json()) as { data: T }).data : undefined;
  };
  const query = async (expression: string) =>
    (await get<{ result: PrometheusResult[] }>(`query?query=${encodeURIComponent(expression)}`))?.result ??
    [];
  await waitFor('both targets', async () => (await query('up == 1')).length === 2);
  return {
    query,
    waitForResult: (expression) => waitFor(expression, async () => (await query(expression))[0]),
    logErrors: () => log.split('\n').filter((line) => /level=(warn|error)/.test(line)),
  };
}
