/** A current Prometheus receives OTLP and has the container's attributes as labels. */
import { join } from 'node:path';
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';
import { startPeer } from './peer.ts';
import { pathOf } from './peers.ts';

const SHIPPED = join(import.meta.dirname, '../../config/prometheus/otlp.yaml');

interface Result {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}

test.before(ensureImage);

test('metrics pushed by OTLP are found by the promoted attributes', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const command = [
    pathOf('prometheus')!,
    `--config.file=${SHIPPED}`,
    `--storage.tsdb.path=${temporaryDirectory(t)}`,
    `--web.listen-address=${new URL(url).host}`,
    '--web.enable-otlp-receiver',
  ];
  const prometheus = await startPeer(t, command, `${url}/-/ready`);
  const name = uniqueName('pushed');
  const container = await runContainer(t, {
    name,
    script: 'while :; do :; done',
    host: { NanoCpus: 1e8, Memory: 32 * MEBIBYTE },
  });
  await spawnAgent(t, {
    variables: {
      PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/api/v1/otlp/v1/metrics`,
    },
  });
  const found = (expression: string) =>
    waitFor(expression, async () => {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      return ((await answer.json()) as { data: { result: Result[] } }).data.result[0];
    });
  const limit = await found(`container_memory_limit_bytes{container_name="${name}"}`);
  t.is(Number(limit.value[1]), 32 * MEBIBYTE);
  t.is(limit.metric.container_id, container.id);
  t.is(limit.metric.container_image_name, 'portlight-test');
  t.truthy(limit.metric.host_name);
  const cpu = await found(
    `sum by (container_name) (rate(container_cpu_time_seconds_total{container_name="${name}"}[10s])) > 0`,
  );
  t.true(Number(cpu.value[1]) < 0.2, cpu.value[1]);
  t.notRegex(prometheus.log(), /level=(WARN|ERROR).*(otlp|write)/i);
});
