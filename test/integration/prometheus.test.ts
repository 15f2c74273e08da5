/** A real Prometheus scrapes both endpoints, and the queries of common dashboards find the right containers. */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { listenUrl, startAgent, temporaryDirectory } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { waitFor } from '../support/wait.ts';

const MEBIBYTE = 1024 * 1024;

test.before(ensureImage);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: [number, string];
}

test('Prometheus takes both endpoints without complaint, and dashboards find their containers', async (t) => {
  const name = uniqueName('dashboard');
  const container = await runContainer(t, {
    name,
    script: 'while :; do :; done',
    labels: { 'com.docker.compose.service': 'shop' },
    host: { NanoCpus: 2e8, Memory: 32 * MEBIBYTE, PidsLimit: 20 },
  });
  const agent = await startAgent(t, {
    args: ['--exporter', 'console', '--log-level', 'info'],
    variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`, PORTLIGHT_METRICS_ENABLE: 'process' },
  });
  const url = await listenUrl(agent);
  const text = async (path: string, accept = 'text/plain') => {
    const response = await fetch(url + path, { headers: { accept } });
    return { type: response.headers.get('content-type')!, body: await response.text() };
  };
  await waitFor('a second round', async () => (await text('/metrics')).body.includes('container_cpu_usage{'));
  for (const path of ['/metrics', '/metrics/cadvisor']) {
    const complaints = execFileSync('promtool', ['check', 'metrics'], {
      input: (await text(path)).body,
      encoding: 'utf8',
    });
    t.is(complaints, '', path);
    const open = await text(path, 'application/openmetrics-text; version=1.0.0');
    t.is(open.type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    t.true(open.body.endsWith('# EOF\n'));
  }

  const directory = temporaryDirectory(t);
  const target = new URL(url).host;
  const job = (job_name: string, metrics_path: string) => ({
    job_name,
    metrics_path,
    static_configs: [{ targets: [target] }],
  });
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [job('portlight', '/metrics'), job('cadvisor', '/metrics/cadvisor')],
  };
  // JSON is YAML.
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const port = await freePort();
  const prometheus = spawn('prometheus', [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  let log = '';
  prometheus.stderr.setEncoding('utf8').on('data', (line) => {
    log += line;
  });
  const ended = new Promise((resolve) => prometheus.on('close', resolve));
  t.teardown(async () => {
    prometheus.kill('SIGKILL');
    await ended;
  });
  const query = async (expression: string): Promise<Result[]> => {
    const response = await fetch(
      `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`,
    ).catch(() => undefined);
    return response?.ok ? ((await response.json()) as { data: { result: Result[] } }).data.result : [];
  };
  const found = (expression: string) => waitFor(expression, async () => (await query(expression))[0]);

  await waitFor('both targets', async () => (await query('up == 1')).length === 2);
  const rate = await found(
    `sum by (name, image) (rate(container_cpu_usage_seconds_total{name="${name}"}[5s]))`,
  );
  t.is(rate.metric.image, 'portlight-test:busybox');
  t.true(Number(rate.value[1]) > 0 && Number(rate.value[1]) < 0.3, rate.value[1]);
  const limit = await found(
    `container_spec_memory_limit_bytes{container_label_com_docker_compose_service="shop"}`,
  );
  t.true(limit.metric.id!.includes(container.id));
  t.is(Number(limit.value[1]), 32 * MEBIBYTE);
  const used = await found(
    `100 * container_memory_working_set_bytes{name="${name}"} / container_spec_memory_limit_bytes{name="${name}"}`,
  );
  t.true(Number(used.value[1]) > 0 && Number(used.value[1]) < 100);
  const throttled = await found(
    `rate(container_cpu_cfs_throttled_periods_total{name="${name}"}[5s]) / rate(container_cpu_cfs_periods_total{name="${name}"}[5s]) > 0`,
  );
  t.true(Number(throttled.value[1]) <= 1.01);
  t.true(Number((await found(`time() - container_last_seen{name="${name}"}`)).value[1]) < 60);
  await found(`sum(rate(container_network_receive_bytes_total{name="${name}"}[5s])) by (name)`);
  t.is(Number((await found(`container_threads_max{name="${name}"}`)).value[1]), 20);
  t.is(Number((await found('machine_memory_bytes')).value[1]) > 0, true);

  const joined = await found(
    `container_memory_usage_bytes{container_name="${name}"} * on (container_id) group_left (service_name) target_info{container_name="${name}"}`,
  ).catch(() => undefined);
  t.is((joined ?? (await found(`target_info{container_name="${name}"}`))).metric.service_name, 'shop');
  t.deepEqual(
    log.split('\n').filter((line) => /level=(warn|error)/.test(line)),
    [],
    log,
  );
});
