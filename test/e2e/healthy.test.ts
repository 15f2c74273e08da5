/**
 * A mix of containers that are well, under the rules as they are: nothing fires. Half a minute of it, or as many minutes as
 * PORTLIGHT_TEST_MINUTES says; the forecast is what it takes longer for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { startAgent } from '../support/agent.ts';
import { type ContainerOptions, ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';

const MIB = 1024 ** 2;
const MINUTES = Number(process.env.PORTLIGHT_TEST_MINUTES ?? 0.5);

test.before(ensureImage);

const rest = 'while :; do sleep 1; done';
const limits = { Memory: 64 * MIB, MemorySwap: 64 * MIB, ShmSize: 64 * MIB };
const fill = (mib: number, name = 'a') => `head -c ${mib}m /dev/zero > /dev/shm/${name}`;

const mix: Readonly<Record<string, Omit<ContainerOptions, 'name'>>> = {
  idle: { script: rest },
  idleLimited: { script: rest, host: limits },
  talks: { script: 'while :; do echo "a line $((i += 1))"; sleep 0.2; done' },
  talksOnError: { script: 'while :; do echo "error: no such thing" >&2; sleep 2; done' },
  halfFull: { script: `${fill(32)}; ${rest}`, host: limits },
  fairlyFull: { script: `${fill(50)}; ${rest}`, host: limits },
  sawtooth: {
    script: `while :; do i=0; while [ $i -lt 45 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 0.3; done; rm /dev/shm/*; done`,
    host: limits,
  },
  slowSawtooth: {
    script: `while :; do i=0; while [ $i -lt 40 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 3; done; rm /dev/shm/*; done`,
    host: limits,
  },
  warmsUp: {
    script: `i=0; while [ $i -lt 30 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 0.2; done; ${rest}`,
    host: limits,
  },
  spikes: { script: `while :; do ${fill(40)}; sleep 2; rm /dev/shm/a; sleep 28; done`, host: limits },
  readsFiles: {
    script: 'head -c 100m /dev/zero > /tmp/large; while :; do cat /tmp/large > /dev/null; sleep 5; done',
    host: limits,
  },
  worksInQuota: {
    script: `while :; do i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; sleep 0.5; done`,
    host: { NanoCpus: 5e8 },
  },
  burstsInQuota: {
    script: `while :; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; sleep 10; done`,
    host: { NanoCpus: 2e8 },
  },
  forks: { script: 'while :; do sleep 0.1 & sleep 0.1 & wait; done', host: { PidsLimit: 50 } },
  someProcesses: {
    script: `i=0; while [ $i -lt 20 ]; do sleep 86400 & i=$((i + 1)); done; wait`,
    host: { PidsLimit: 50 },
  },
  healthy: {
    script: rest,
    create: { Healthcheck: { Test: ['CMD', 'true'], Interval: 2e9, Timeout: 5e9, Retries: 3 } },
  },
  startsSlowly: {
    script: `sleep 8; touch /tmp/ready; ${rest}`,
    create: {
      Healthcheck: {
        Test: ['CMD', 'test', '-e', '/tmp/ready'],
        Interval: 2e9,
        Timeout: 5e9,
        Retries: 3,
        StartPeriod: 3e10,
      },
    },
  },
  job: { script: 'sleep 5; echo done' },
  jobOfLongerKind: { script: 'sleep 20', host: { RestartPolicy: { Name: 'on-failure' } } },
  opens: {
    script: 'cd /tmp; touch 1 2 3 4 5; tail -f 1 2 3 4 5',
    host: { Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 64 }] },
  },
};

test('of containers that are well, nothing fires', async (t) => {
  t.timeout((MINUTES + 3) * 60_000);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const group = uniqueName('healthy');
  await startAgent(t, {
    args: ['--interval', '1s'],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `label=${group}`,
    },
  });
  for (const [name, options] of Object.entries(mix))
    await runContainer(t, { ...options, name: `${group}-${name}`, labels: { [group]: 'true' } });
  await sleep(MINUTES * 60_000);
  const names = Object.keys(mix);
  t.deepEqual(
    names.filter((name) => receiver.of(`${group}-${name}`).length === 0),
    [],
    'all of them were seen',
  );
  t.deepEqual(
    receiver.logs
      .filter(({ eventName }) => eventName.startsWith('portlight.alert.'))
      .map(({ body, resource }) => `${resource['container.name']}: ${body}`),
    [],
  );
});
