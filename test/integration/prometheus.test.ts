/**
 * A real Prometheus scrapes both endpoints, and the queries of common dashboards return the right containers.
 */
import { execFileSync } from 'node:child_process';
import test from 'ava';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

test('Prometheus scrapes both endpoints without errors, and dashboard queries find their containers', async (t) => {
  const name = uniqueName('dashboard');
  const container = await runContainer(t, {
    name,
    script: 'while :; do :; done',
    labels: { 'com.docker.compose.service': 'shop' },
    host: { NanoCpus: 2e8, Memory: 32 * MEBIBYTE, PidsLimit: 20 },
  });
  const agent = await spawnAgent(t, {
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
    const lint = execFileSync('promtool', ['check', 'metrics'], {
      input: (await text(path)).body,
      encoding: 'utf8',
    });
    t.is(lint, '', path);
    const open = await text(path, 'application/openmetrics-text; version=1.0.0');
    t.is(open.type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    t.true(open.body.endsWith('# EOF\n'));
  }

  const { waitForResult, logErrors } = await startPrometheus(t, url);
  const rate = await waitForResult(
    `sum by (name, image) (rate(container_cpu_usage_seconds_total{name="${name}"}[5s]))`,
  );
  t.is(rate.metric.image, 'portlight-test:busybox');
  t.true(Number(rate.value[1]) > 0 && Number(rate.value[1]) < 0.3, rate.value[1]);
  const limit = await waitForResult(
    `container_spec_memory_limit_bytes{container_label_com_docker_compose_service="shop"}`,
  );
  t.true(limit.metric.id!.includes(container.id));
  t.is(Number(limit.value[1]), 32 * MEBIBYTE);
  const used = await waitForResult(
    `100 * container_memory_working_set_bytes{name="${name}"} / container_spec_memory_limit_bytes{name="${name}"}`,
  );
  t.true(Number(used.value[1]) > 0 && Number(used.value[1]) < 100);
  const throttled = await waitForResult(
    `rate(container_cpu_cfs_throttled_periods_total{name="${name}"}[5s]) / rate(container_cpu_cfs_periods_total{name="${name}"}[5s]) > 0`,
  );
  t.true(Number(throttled.value[1]) <= 1.01);
  t.true(Number((await waitForResult(`time() - container_last_seen{name="${name}"}`)).value[1]) < 60);
  await waitForResult(`sum(rate(container_network_receive_bytes_total{name="${name}"}[5s])) by (name)`);
  t.is(Number((await waitForResult(`container_threads_max{name="${name}"}`)).value[1]), 20);
  t.is(Number((await waitForResult('machine_memory_bytes')).value[1]) > 0, true);

  const joined = await waitForResult(
    `container_memory_usage_bytes{container_name="${name}"} * on (container_id) group_left (service_name) target_info{container_name="${name}"}`,
  ).catch(() => undefined);
  t.is(
    (joined ?? (await waitForResult(`target_info{container_name="${name}"}`))).metric.service_name,
    'shop',
  );
  t.deepEqual(logErrors(), []);
});
