/** Real containers: one failing container per rule, and healthy ones. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { AlertJson } from '../../exporters/alerts/alert.ts';
import { listenUrl, portlight, spawnAgent } from '../support/agent.ts';
import {
  type ContainerOptions,
  docker,
  ensureImage,
  execute,
  FLOOD,
  runContainer,
  uniqueName,
} from '../support/docker.ts';
import { freePort } from '../support/port.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { MEBIBYTE } from '../support/units.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

/** The built-in rules with shorter durations and unchanged thresholds. */
const RULES = [
  { name: 'memory', for: '2s' },
  {
    name: 'memory_forecast',
    window: '40s',
    forecast: '2m',
    resolve: '> 4m',
    for: '1s',
    keep_firing_for: '0s',
  },
  { name: 'oom_kill', keep_firing_for: '10s' },
  { name: 'cpu_throttled', window: '10s', for: '3s' },
  { name: 'cpu_pressure', window: '15s' },
  { name: 'memory_pressure', window: '15s' },
  { name: 'pids', for: '2s' },
  { name: 'restart_loop', keep_firing_for: '15s' },
  { name: 'exit', keep_firing_for: '10s' },
  { name: 'log_rate', window: '10s', keep_firing_for: '2s' },
  { name: 'descriptors', for: '1s' },
  { name: 'disk', window: '1m', forecast: '24h', resolve: '> 48h' },
  { name: 'wrong', metric: 'container.memory.usge', condition: '> 1' },
];

/** Containers that use all the CPU time they get. */
const BUSY = new Set(['throttled', 'thrasher']);

const killIfRunning = (name: string): Promise<void> =>
  docker
    .getContainer(name)
    .kill()
    .catch((error) => {
      if (error.statusCode !== 409) throw error;
    });

const isAlert = ({ eventName }: ReceivedLog): boolean => eventName.startsWith('portlight.alert.');

/** `firing memory`, … in the order of emission. */
const emissionsOf = (receiver: Receiver, name: string): string[] =>
  receiver
    .logsOf(name)
    .filter(isAlert)
    .map(
      ({ eventName, attributes }) => `${eventName.split('.').at(-1)} ${attributes['portlight.alert.rule']}`,
    );

interface Notification {
  readonly status: string;
  readonly groupLabels: Record<string, string>;
  readonly alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

/** A server that stores the bodies of POST requests. */
async function receiverOf<T>(t: ExecutionContext): Promise<{ url: string; posted: T[] }> {
  const posted: T[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    posted.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, posted };
}

/** Debian's Alertmanager, with a webhook in place of a person. */
async function startAlertmanager(
  t: ExecutionContext,
): Promise<{ url: string; notifications: Notification[] }> {
  const person = await receiverOf<Notification>(t);
  const port = await freePort();
  const directory = temporaryDirectory(t);
  const config = {
    route: { receiver: 'person', group_by: ['alertname'], group_wait: '0s', group_interval: '1s' },
    receivers: [
      {
        name: 'person',
        webhook_configs: [{ url: person.url }],
      },
    ],
  };
  writeFileSync(join(directory, 'alertmanager.yml'), JSON.stringify(config));
  const child = spawn(
    'prometheus-alertmanager',
    [
      `--config.file=${join(directory, 'alertmanager.yml')}`,
      `--storage.path=${directory}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor('the Alertmanager', () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return { url, notifications: person.posted };
}

async function configure(t: ExecutionContext, alerts: object): Promise<string> {
  const path = join(temporaryDirectory(t), 'portlight.yaml');
  writeFileSync(path, JSON.stringify({ alerts, metrics: { storage_interval: '10s' } }));
  return path;
}

test('each rule fires for its container only, and resolves', async (t) => {
  t.timeout(300_000);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const alertmanager = await startAlertmanager(t);
  const hook = await receiverOf<{ type: string; data: AlertJson }>(t);
  const group = uniqueName('alerts');
  const config = await configure(t, {
    rules: RULES,
    labels: 'team=test',
    alertmanager: { urls: [alertmanager.url], resend: '1s' },
    webhooks: { hook: { url: hook.url } },
  });
  const agent = await spawnAgent(t, {
    args: ['--config', config],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `label=${group}`,
      PORTLIGHT_CONTAINERS_EXCLUDE: undefined,
    },
  });
  const url = await listenUrl(agent);
  t.true(
    agent.stderr.includes(
      'alerts.rules[12] (wrong): metric: \\"container.memory.usge\\" is not a known metric',
    ),
  );

  const names: Record<string, string> = {};
  const run = async (purpose: string, options: ContainerOptions) => {
    names[purpose] = `${group}-${purpose}`;
    return runContainer(t, {
      ...options,
      name: names[purpose]!,
      labels: { [group]: 'true', ...options.labels },
    });
  };
  const HOLD = 'while :; do sleep 0.2; done';
  const limited = { Memory: 60 * MEBIBYTE, ShmSize: 64 * MEBIBYTE, MemorySwap: 60 * MEBIBYTE };
  const fill = (mib: number, name: string) => `head -c ${mib}m /dev/zero > /dev/shm/${name}`;
  // All at once, because each takes a while.
  const [full, , , forker, throttled, , , unhealthy, , , opener, thrasher] = await Promise.all([
    run('full', { script: `sleep 10; ${fill(56, 'a')}; ${HOLD}`, host: limited }),
    run('leak', {
      script: `i=0; while [ $i -lt 95 ]; do head -c 512k /dev/zero > /dev/shm/$i; i=$((i + 1)); sleep 0.8; done; ${HOLD}`,
      host: limited,
    }),
    run('sawtooth', {
      script: `while :; do i=0; while [ $i -lt 35 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 0.1; done; rm /dev/shm/*; done`,
      host: limited,
    }),
    run('forker', {
      script: `sleep 1; i=0; while [ $i -lt 18 ]; do sleep 600 & p="$p $!"; i=$((i + 1)); done; trap 'kill $p' USR1; wait; ${HOLD}`,
      host: { PidsLimit: 20 },
    }),
    run('throttled', { script: 'while :; do :; done', host: { NanoCpus: 1e8 } }),
    run('starved', { script: 'while :; do :; done', host: { CpuShares: 2, CpusetCpus: '0' } }),
    run('hog', { script: 'while :; do :; done', host: { CpuShares: 128, CpusetCpus: '0' } }),
    run('unhealthy', {
      script: `touch /tmp/sick; ${HOLD}`,
      create: {
        Healthcheck: { Test: ['CMD-SHELL', 'test ! -e /tmp/sick'], Interval: 5e8, Timeout: 5e9, Retries: 1 },
      },
    }),
    run('eater', {
      script: 'sleep 10; tail /dev/zero',
      host: { Memory: 20 * MEBIBYTE, MemorySwap: 20 * MEBIBYTE },
    }),
    run('talker', {
      script: `i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i + 1)); sleep 0.02; done; ${HOLD}`,
      labels: { 'portlight.logs.rate_limit': '5', [FLOOD]: 'true' },
    }),
    run('opener', {
      script: `sleep 1; cd /tmp; i=0; while [ $i -lt 30 ]; do touch $i; i=$((i + 1)); done; tail -f * & p=$!; trap 'kill $p' USR1; wait; ${HOLD}`,
      host: { Ulimits: [{ Name: 'nofile', Soft: 36, Hard: 36 }] },
    }),
    run('thrasher', {
      script: `head -c 60m /dev/zero > /tmp/large; while :; do cat /tmp/large > /dev/null; done`,
      host: { Memory: 6 * MEBIBYTE, MemorySwap: 6 * MEBIBYTE, CpuShares: 64 },
      // Its page cache counts as in use at times.
      labels: { 'portlight.alert.memory': 'off', 'portlight.alert.memory_forecast': 'off' },
    }),
    run('writer', {
      script: `i=0; while [ $i -lt 80 ]; do head -c 5m /dev/zero >> /grows; i=$((i + 1)); sleep 1; done; ${HOLD}`,
    }),
    run('crasher', { script: 'echo about to fail; sleep 1; exit 3' }),
    run('looper', { script: 'sleep 0.3; exit 1', host: { RestartPolicy: { Name: 'always' } } }),
    run('mute', {
      script: `${fill(56, 'a')}; ${HOLD}`,
      host: limited,
      labels: { 'portlight.alert.memory': 'off', 'portlight.alert.memory_forecast': 'off' },
    }),
    run('quiet', { script: 'while :; do echo fine; sleep 1; done', host: limited }),
    run('stopped', { script: `sleep 1; trap "exit 5" TERM; ${HOLD}` }),
  ]);
  await docker.getContainer(names.stopped!).stop({ t: 5 });

  const fires = (purpose: string, rule: string) =>
    waitFor(
      `${rule} of ${purpose}; so far: ${emissionsOf(receiver, names[purpose]!)}`,
      () => emissionsOf(receiver, names[purpose]!).includes(`firing ${rule}`),
      150_000,
    );
  const resolves = (purpose: string, rule: string) =>
    waitFor(
      `${rule} to be resolved of ${purpose}; so far: ${emissionsOf(receiver, names[purpose]!)}`,
      () => emissionsOf(receiver, names[purpose]!).includes(`resolved ${rule}`),
      150_000,
    );
  const recoveries: [purpose: string, rule: string, recover: () => Promise<unknown>][] = [
    ['full', 'memory', () => execute(full!, 'rm /dev/shm/a')],
    // Its growth stops by itself.
    ['leak', 'memory_forecast', async () => {}],
    ['forker', 'pids', () => forker!.kill({ signal: 'SIGUSR1' })],
    ['throttled', 'cpu_throttled', () => throttled!.update({ NanoCpus: 2e9 })],
    // On a machine that is busy with other tests, it waits for a CPU until it exits.
    [
      'starved',
      'cpu_pressure',
      () => Promise.all(['starved', 'hog'].map((one) => docker.getContainer(names[one]!).kill())),
    ],
    ['unhealthy', 'unhealthy', () => execute(unhealthy!, 'rm /tmp/sick')],
    [
      'thrasher',
      'memory_pressure',
      () => thrasher!.update({ Memory: 256 * MEBIBYTE, MemorySwap: 256 * MEBIBYTE }),
    ],
    ['writer', 'disk', async () => {}],
    ['eater', 'oom_kill', async () => {}],
    ['talker', 'log_rate', async () => {}],
    ['opener', 'descriptors', () => opener!.kill({ signal: 'SIGUSR1' })],
    ['crasher', 'exit', async () => {}],
    ['looper', 'restart_loop', () => docker.getContainer(names.looper!).stop({ t: 0 })],
  ];
  const missingNotifications = (status: string) =>
    recoveries.filter(
      ([purpose, rule]) =>
        !alertmanager.notifications.some(({ groupLabels, alerts }) =>
          alerts.some(
            ({ labels, ...alert }) =>
              alert.status === status &&
              labels.container === names[purpose] &&
              labels.alertname === rule &&
              groupLabels.alertname === rule &&
              labels.team === 'test',
          ),
        ),
    );
  await Promise.all(
    recoveries.map(async ([purpose, rule, recover]) => {
      await fires(purpose, rule);
      // An Alertmanager does not report alerts that are resolved before it notified.
      await waitFor(
        `the Alertmanager to report ${rule}`,
        () => !missingNotifications('firing').some(([one]) => one === purpose),
      );
      await recover();
      await resolves(purpose, rule);
      // Frees the CPUs for other tests. A container without free memory can have ended by itself.
      if (BUSY.has(purpose)) await killIfRunning(names[purpose]!);
    }),
  );
  await resolves('looper', 'exit');

  for (const [purpose, rule] of recoveries) {
    // A restart loop contains exits. On a busy machine, any container can wait for a CPU.
    const beside = ['cpu_pressure', ...(purpose === 'looper' ? ['exit'] : [])];
    const others = emissionsOf(receiver, names[purpose]!).filter(
      (emission) => ![rule, ...beside].includes(emission.split(' ')[1]!),
    );
    t.deepEqual(others, [], purpose);
  }
  for (const purpose of ['sawtooth', 'mute', 'quiet', 'stopped'])
    t.deepEqual(
      emissionsOf(receiver, names[purpose]!).filter((emission) => !emission.endsWith('cpu_pressure')),
      [],
      purpose,
    );
  t.deepEqual(
    emissionsOf(receiver, names.full!).filter((emission) => emission.endsWith(' memory')),
    ['firing memory', 'resolved memory'],
    'only once',
  );

  const firing = (purpose: string) =>
    receiver
      .logsOf(names[purpose]!)
      .find(
        ({ eventName, attributes }) =>
          eventName === 'portlight.alert.firing' && attributes['portlight.alert.rule'] !== 'cpu_pressure',
      )!;
  const ofFull = firing('full');
  t.true(Number(ofFull.attributes['portlight.alert.value']) >= 0.9);
  t.is(ofFull.attributes['portlight.alert.limit'], 60 * MEBIBYTE);
  t.true((JSON.parse(String(ofFull.attributes['portlight.alert.series'])) as unknown[]).length >= 3);
  t.true(Number(ofFull.attributes['portlight.alert.memory.shmem']) > 50 * MEBIBYTE);
  t.is(ofFull.attributes['portlight.alert.label.team'], 'test');
  const ofCrasher = firing('crasher');
  t.deepEqual(ofCrasher.attributes['portlight.alert.log'], ['about to fail']);
  t.regex(String(ofCrasher.attributes['portlight.alert.events']), /docker\.container\.start: /);
  const ofEater = firing('eater');
  t.is(ofEater.severityNumber, 17);
  t.true('portlight.alert.memory.anon' in ofEater.attributes);

  const all = (await (await fetch(`${url}/alerts`)).json()) as AlertJson[];
  t.true(all.some(({ rule, status }) => rule === 'memory' && status === 'resolved'));

  // The webhook behind the Alertmanager receives both, grouped by alert.
  await waitFor(
    'the Alertmanager to report every resolved alert',
    () => missingNotifications('resolved').length === 0,
  ).catch(() => {});
  for (const status of ['firing', 'resolved'])
    t.deepEqual(
      missingNotifications(status).map(([purpose]) => purpose),
      [],
      status,
    );
  const hooked = hook.posted
    .filter(({ data }) => data.rule === 'memory')
    .map(({ type, data }) => `${type} ${data.rule} ${data.container?.name}`);
  t.is(new Set(hooked.filter((one) => one.includes(names.full!))).size, 2);
  t.is(hooked.filter((one) => one.includes(names.full!)).length, 2);
});

test('after a kill, the agent repeats no alert, and resolves those of its predecessor', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const name = uniqueName('survivor');
  const config = await configure(t, { rules: [{ name: 'memory', for: '1s' }] });
  const container = await runContainer(t, {
    name,
    script: 'head -c 56m /dev/zero > /dev/shm/a; while :; do sleep 0.2; done',
    host: { Memory: 60 * MEBIBYTE, ShmSize: 64 * MEBIBYTE, MemorySwap: 60 * MEBIBYTE },
  });
  const dataDirectory = temporaryDirectory(t);
  const start = () =>
    spawnAgent(t, {
      dataDirectory,
      args: ['--config', config],
      variables: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
        PORTLIGHT_CONTAINERS_INCLUDE: `name=${name}`,
      },
    });
  const first = await start();
  await waitFor('the alert to fire', () => emissionsOf(receiver, name).length > 0);
  const asked = async (listen: string) => {
    const { stdout } = await portlight(t, ['alerts', '-o', 'json'], { PORTLIGHT_LISTEN: listen });
    return (JSON.parse(stdout) as AlertJson[]).filter((alert) => alert.container?.name === name);
  };
  t.like((await asked(new URL(await listenUrl(first)).host))[0], { rule: 'memory', status: 'firing' });
  const alone = (await asked('127.0.0.1:1')).find(({ rule }) => rule === 'memory');
  t.is(alone?.status, 'pending', 'the duration is unknown without an agent');
  // Leaves time for the receiver's acknowledgement.
  await new Promise((resolve) => setTimeout(resolve, 500));
  first.kill('SIGKILL');
  await first.exit;
  const second = await start();
  await waitFor('a round', () => receiver.pointsOf(name, 'container.memory.usage').length > 3);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  t.deepEqual(emissionsOf(receiver, name), ['firing memory']);
  second.kill('SIGKILL');
  await second.exit;
  // The condition ends while no agent runs.
  await execute(container, 'rm /dev/shm/a');
  await start();
  await waitFor('the alert to be resolved', () => emissionsOf(receiver, name).length > 1);
  t.deepEqual(emissionsOf(receiver, name), ['firing memory', 'resolved memory']);
  const [firing, resolved] = receiver.logsOf(name).filter(isAlert);
  t.is(firing!.attributes['portlight.alert.rule'], resolved!.attributes['portlight.alert.rule']);
  t.true(Number(resolved!.attributes['portlight.alert.duration']) > 1);
});
