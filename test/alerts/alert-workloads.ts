/**
 * Containers that alert rules are tested on: healthy ones, and for most built-in rules one that must fire it.
 */
import type { ContainerOptions } from '../support/docker.ts';
import { MEBIBYTE } from '../support/units.ts';

/** `FLOOD` of test/support/docker.ts, which unit tests cannot import: it needs a daemon. */
const FLOOD = 'portlight.test.flood';

export interface AlertWorkload extends Omit<ContainerOptions, 'name'> {
  /** Rules that the workload must fire, and no others; none for a healthy one. */
  readonly fires: readonly string[];
  /** Whether `docker stop` ends it after a while. */
  readonly isStopped?: boolean;
}

const idle = 'while :; do sleep 1; done';
const limits = { Memory: 64 * MEBIBYTE, MemorySwap: 64 * MEBIBYTE, ShmSize: 64 * MEBIBYTE };
const fill = (mib: number, name = 'a') => `head -c ${mib}m /dev/zero > /dev/shm/${name}`;

const healthy: Readonly<Record<string, Omit<AlertWorkload, 'fires'>>> = {
  idle: { script: idle },
  idleLimited: { script: idle, host: limits },
  talks: { script: 'while :; do echo "a line $((i += 1))"; sleep 0.2; done' },
  talksOnError: { script: 'while :; do echo "error: no such thing" >&2; sleep 2; done' },
  halfFull: { script: `${fill(32)}; ${idle}`, host: limits },
  fairlyFull: { script: `${fill(50)}; ${idle}`, host: limits },
  sawtooth: {
    script: `while :; do i=0; while [ $i -lt 45 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 0.3; done; rm /dev/shm/*; done`,
    host: limits,
  },
  slowSawtooth: {
    script: `while :; do i=0; while [ $i -lt 40 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 3; done; rm /dev/shm/*; done`,
    host: limits,
  },
  warmsUp: {
    script: `i=0; while [ $i -lt 30 ]; do ${fill(1, '$i')}; i=$((i + 1)); sleep 0.2; done; ${idle}`,
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
    script: idle,
    create: { Healthcheck: { Test: ['CMD', 'true'], Interval: 2e9, Timeout: 5e9, Retries: 3 } },
  },
  startsSlowly: {
    script: `sleep 8; touch /tmp/ready; ${idle}`,
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

export const healthyWorkloads: Readonly<Record<string, AlertWorkload>> = Object.fromEntries(
  Object.entries(healthy).map(([name, options]) => [name, { ...options, fires: [] }]),
);

export const failingWorkloads: Readonly<Record<string, AlertWorkload>> = {
  full: { script: `sleep 30; ${fill(60)}; ${idle}`, host: limits, fires: ['memory'] },
  leaks: {
    // Reaches its limit after 16 minutes.
    script: `i=0; while :; do ${fill(1, '$i')}; i=$((i + 1)); sleep 15; done`,
    host: limits,
    fires: ['memory_forecast'],
  },
  eats: {
    script: 'sleep 20; tail /dev/zero',
    host: { Memory: 20 * MEBIBYTE, MemorySwap: 20 * MEBIBYTE },
    fires: ['oom_kill'],
  },
  throttled: { script: 'while :; do :; done', host: { NanoCpus: 5e7 }, fires: ['cpu_throttled'] },
  manyProcesses: {
    script: `i=0; while [ $i -lt 18 ]; do sleep 86400 & i=$((i + 1)); done; wait`,
    host: { PidsLimit: 20 },
    fires: ['pids'],
  },
  unhealthy: {
    script: `sleep 20; touch /tmp/sick; ${idle}`,
    create: {
      Healthcheck: {
        Test: ['CMD-SHELL', 'test ! -e /tmp/sick'],
        Interval: 2e9,
        Timeout: 5e9,
        Retries: 2,
      },
    },
    fires: ['unhealthy'],
  },
  crashes: { script: 'sleep 20; exit 3', fires: ['exit'] },
  loops: {
    script: 'sleep 2; exit 1',
    host: { RestartPolicy: { Name: 'always' } },
    fires: ['exit', 'restart_loop'],
  },
  floods: {
    script: `sleep 20; i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i + 1)); done; ${idle}`,
    labels: { 'portlight.logs.rate_limit': '5', [FLOOD]: 'true' },
    fires: ['log_rate'],
  },
  opensTooMuch: {
    script: `sleep 20; cd /tmp; i=0; while [ $i -lt 30 ]; do touch $i; i=$((i + 1)); done; tail -f *`,
    host: { Ulimits: [{ Name: 'nofile', Soft: 36, Hard: 36 }] },
    fires: ['descriptors'],
  },
  stoppedWithError: { script: `trap "exit 5" TERM; ${idle}`, isStopped: true, fires: [] },
  muted: {
    script: `sleep 30; ${fill(60)}; ${idle}`,
    host: limits,
    labels: { 'portlight.alert.memory': 'off', 'portlight.alert.memory_forecast': 'off' },
    fires: [],
  },
};
