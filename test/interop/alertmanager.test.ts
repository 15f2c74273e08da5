/** A real Alertmanager receives firing alerts, groups them as configured, and drops them once resolved. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { freePort } from '../support/port.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';
import { replaced, startPeer } from './peer.ts';
import { pathOf } from './peers.ts';

interface Alert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly status: { state: string };
}

const SHIPPED = join(import.meta.dirname, '../../config/alertmanager/alertmanager.yaml');

test.before(ensureImage);

test('alerts fire, are grouped by host and rule, and are resolved', async (t) => {
  const directory = temporaryDirectory(t);
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(directory, 'alertmanager.yaml');
  writeFileSync(
    config,
    replaced(readFileSync(SHIPPED, 'utf8'), { 'group_wait: 10s': 'group_wait: 0s', '5001': '9' }),
  );
  const command = [
    pathOf('alertmanager')!,
    `--config.file=${config}`,
    `--storage.path=${directory}`,
    `--web.listen-address=${new URL(url).host}`,
    '--cluster.listen-address=',
  ];
  const alertmanager = await startPeer(t, command, `${url}/-/ready`);
  const get = async <T>(path: string): Promise<T> =>
    (await (await fetch(`${url}/api/v2/${path}`)).json()) as T;

  const names = [uniqueName('first'), uniqueName('second')];
  const containers = await Promise.all(
    names.map((name) =>
      runContainer(t, {
        name,
        script: 'for i in 1 2 3 4 5; do sleep 900 & done; wait',
        host: { PidsLimit: 6 },
      }),
    ),
  );
  await spawnAgent(t, {
    args: ['--config', configOf(directory, url, names)],
  });
  const firing = async () =>
    (await get<Alert[]>('alerts')).filter(({ labels }) => names.includes(labels.container ?? ''));
  await waitFor('both alerts', async () => (await firing()).length === 2);
  const alerts = await firing();
  t.deepEqual(alerts.map(({ labels }) => labels.container).sort(), [...names].sort());
  for (const { labels, annotations, status } of alerts) {
    t.is(labels.alertname, 'pids');
    t.is(labels.image, 'portlight-test:busybox');
    t.true(['info', 'warning', 'critical'].includes(labels.severity!), labels.severity);
    t.true(labels.instance !== undefined && labels.instance !== '');
    t.truthy(annotations.summary ?? annotations.description);
    t.is(status.state, 'active');
  }
  const groups = (await get<{ labels: Record<string, string>; alerts: Alert[] }[]>('alerts/groups')).filter(
    ({ labels }) => labels.alertname === 'pids',
  );
  t.is(groups.length, 1);
  t.deepEqual(groups[0]!.labels, { alertname: 'pids', instance: alerts[0]!.labels.instance! });
  t.is(groups[0]!.alerts.length, 2);

  await containers[0]!.stop({ t: 0 });
  await waitFor('one to be resolved', async () => {
    const left = await firing();
    return left.length === 1 && left[0]!.labels.container === names[1];
  });
  t.notRegex(alertmanager.log(), /level=(warn|error).*component=api/);
});

function configOf(directory: string, url: string, names: readonly string[]): string {
  const path = join(directory, 'portlight.yaml');
  const config = {
    exporter: ['console'],
    containers: { include: names.map((name) => `name=${name}`) },
    alerts: {
      rules: [{ name: 'pids', for: '1s', keep_firing_for: '0s' }],
      alertmanager: { urls: [url], resend: '1s' },
    },
  };
  // JSON is valid YAML.
  writeFileSync(path, JSON.stringify(config));
  return path;
}
