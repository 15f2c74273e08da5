/** Debian's Prometheus scrapes an agent with the shipped configuration, including its token and host list. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { listenUrl, spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';
import { replaced, startPeer } from './peer.ts';
import { pathOf } from './peers.ts';

const CONFIG = join(import.meta.dirname, '../../config');

interface Result {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}

test.before(ensureImage);

test('the shipped configuration scrapes the agent, and rules are evaluated', async (t) => {
  const name = uniqueName('scraped');
  const container = await runContainer(t, {
    name,
    script: 'while :; do :; done',
    host: { NanoCpus: 1e8, Memory: 32 * MEBIBYTE },
  });
  const agent = await spawnAgent(t, {
    args: ['--exporter', 'console'],
    variables: { PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}` },
  });
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'data'));
  const at = (file: string) => join(directory, file);
  writeFileSync(at('portlight-token'), 'not asked for on loopback');
  writeFileSync(
    at('portlight-hosts.yaml'),
    JSON.stringify([{ targets: [new URL(await listenUrl(agent)).host] }]),
  );
  copyFileSync(join(CONFIG, 'prometheus/portlight.rules.yaml'), at('portlight.rules.yaml'));
  const config = readFileSync(join(CONFIG, 'grafana-stack/prometheus.yaml'), 'utf8');
  writeFileSync(
    at('prometheus.yaml'),
    replaced(config, { '/etc/prometheus/': `${directory}/`, 'scrape_interval: 15s': 'scrape_interval: 1s' }),
  );
  const url = `http://127.0.0.1:${await freePort()}`;
  const command = [
    pathOf('prometheus-debian')!,
    `--config.file=${at('prometheus.yaml')}`,
    `--storage.tsdb.path=${at('data')}`,
    `--web.listen-address=${new URL(url).host}`,
  ];
  const prometheus = await startPeer(t, command, `${url}/-/ready`);
  const query = async (expression: string): Promise<Result[]> => {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    return ((await answer.json()) as { data: { result: Result[] } }).data.result;
  };
  const found = (expression: string) => waitFor(expression, async () => (await query(expression))[0]);

  t.is((await found('up{job="portlight"} == 1')).value[1], '1');
  const limit = await found(`container_memory_limit_bytes{container_name="${name}"}`);
  t.is(Number(limit.value[1]), 32 * MEBIBYTE);
  t.is(limit.metric.container_id, container.id);
  const cpu = await found(`sum(rate(container_cpu_time_seconds_total{container_name="${name}"}[10s])) > 0`);
  t.true(Number(cpu.value[1]) > 0 && Number(cpu.value[1]) < 0.2, cpu.value[1]);
  const rules = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
    data: { groups: { rules: { name: string; lastError?: string }[] }[] };
  };
  const all = rules.data.groups.flatMap((group) => group.rules);
  t.true(all.length > 0);
  t.deepEqual(
    all.filter(({ lastError }) => lastError),
    [],
  );
  t.notRegex(prometheus.log(), /level=(warn|error).*component="scrape manager"/);
});
