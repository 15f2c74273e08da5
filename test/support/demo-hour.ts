/** A synthetic hour on a synthetic host: log lines, events and alerts of its containers. */

import { Severity } from '../../collectors/records/records.ts';
import type { AlertSeverity } from '../../config/severity.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { SimulatedHost } from './simulated-host.ts';
import { shopHost } from './synthetic-containers.ts';
import { MEBIBYTE } from './units.ts';

const MINUTE = 60_000;

const checkout = (order: number): string[] => [
  JSON.stringify({ level: 'info', msg: 'order placed', order: 48_000 + order, items: 1 + (order % 4) }),
  JSON.stringify({ level: 'debug', msg: 'cart reserved', order: 48_000 + order }),
  JSON.stringify({ level: 'info', msg: 'payment accepted', order: 48_000 + order, provider: 'stripe' }),
];

/** Log lines of checkout in the last minutes, with some warnings and errors. */
function checkoutLog(now: number): [number, string][] {
  const lines: [number, string][] = [];
  for (let order = 0; order < 160; order++) {
    const time = now - (160 - order) * 2300;
    checkout(order).forEach((line, index) => {
      lines.push([time + index * 37, line]);
    });
    if (order % 29 === 17)
      lines.push([
        time + 400,
        JSON.stringify({ level: 'warn', msg: 'payment is slow', order: 48_000 + order, ms: 1840 }),
      ]);
    if (order === 88 || order === 141)
      lines.push([
        time + 700,
        JSON.stringify({
          level: 'error',
          msg: 'payment failed: upstream timed out after 5000 ms',
          order: 48_000 + order,
        }),
      ]);
  }
  return lines;
}

interface AlertFacts {
  readonly rule: string;
  readonly severity: AlertSeverity;
  readonly name?: string;
  readonly startsAt: number;
  readonly endsAt?: number;
  readonly value: number;
  readonly threshold: number;
  readonly limit?: number;
  readonly summary: string;
  readonly status?: Alert['status'];
}

export function alertOf(simulated: SimulatedHost, facts: AlertFacts): Alert {
  const {
    rule,
    severity,
    name,
    startsAt,
    endsAt,
    value,
    threshold,
    limit,
    summary,
    status = 'firing',
  } = facts;
  const container = name === undefined ? undefined : simulated.named(name);
  const nanos = (ms: number) => BigInt(Math.round(ms)) * 1_000_000n;
  return {
    key: `${rule}/${container?.id ?? ''}`,
    rule,
    severity,
    status,
    startsAt: nanos(startsAt),
    endsAt: endsAt === undefined ? undefined : nanos(endsAt),
    resource: {},
    container: container && { id: container.id, name: container.name, image: container.image },
    value,
    unit: '1',
    threshold,
    limit,
    limitUnit: 'By',
    labels: {},
    annotations: { summary },
    evidence: {
      seriesUnit: '1',
      seriesBound: threshold,
      series: Array.from({ length: 60 }, (_, index) => [
        startsAt - (60 - index) * 10_000,
        Math.min(value, threshold * (0.72 + index * 0.0055) + Math.sin(index / 3) * 0.02),
      ]),
      log: ['payment is slow', 'payment failed: upstream timed out after 5000 ms'],
      events: [],
      memory: limit === undefined ? {} : { anon: limit * 0.81, file: limit * 0.08, shmem: 0 },
    },
  };
}

export async function startDemoHour(): Promise<SimulatedHost> {
  const simulated = await SimulatedHost.start(shopHost);
  await simulated.past(60 * MINUTE);
  const now = Date.now();
  const ago = (minutes: number) => now - minutes * MINUTE;
  const { WARN, ERROR } = Severity;
  const emit = simulated.event.bind(simulated);
  await emit('shop-migrate-1', 'docker.container.start', 'container shop-migrate-1 started', {
    time: ago(26),
  });
  await emit('shop-migrate-1', 'docker.container.die', 'container shop-migrate-1 exited with code 0', {
    time: ago(25),
  });
  await emit('nightly-backup', 'docker.container.die', 'container nightly-backup exited with code 1', {
    time: ago(25),
    severity: ERROR,
    attributes: {
      'portlight.exit.reason': 'error',
      'portlight.exit.log': ['opening repository', 'Fatal: repository is already locked by PID 71'],
    },
  });
  for (const [minutes, reason] of [
    [44, 'OOM-killed at its memory limit (exit code 137)'],
    [21, 'OOM-killed at its memory limit (exit code 137)'],
  ] as const) {
    await emit(
      'shop-checkout-1',
      'docker.container.oom',
      'container shop-checkout-1 had a process OOM-killed',
      { time: ago(minutes), severity: ERROR },
    );
    await emit('shop-checkout-1', 'docker.container.die', `container shop-checkout-1 ${reason}`, {
      time: ago(minutes) + 300,
      severity: ERROR,
      attributes: {
        'portlight.exit.reason': 'oom',
        'portlight.exit.memory.limit': 512 * MEBIBYTE,
        'portlight.exit.log': ['payment is slow', 'allocation failed'],
      },
    });
    await emit('shop-checkout-1', 'docker.container.start', 'container shop-checkout-1 started', {
      time: ago(minutes) + 1400,
    });
    await emit(
      'shop-checkout-1',
      'docker.container.health_status',
      'container shop-checkout-1 became healthy',
      {
        time: ago(minutes) + 31_000,
      },
    );
  }
  await emit('shop-search-1', 'docker.container.health_status', 'container shop-search-1 became unhealthy', {
    time: ago(6),
    severity: WARN,
  });
  await emit('shop-worker-2', 'docker.container.update', 'container shop-worker-2 updated', {
    time: ago(14),
  });
  await emit('shop-web-1', 'docker.container.restart', 'container shop-web-1 restarted', { time: ago(33) });
  const lines = checkoutLog(now);
  for (let from = 0; from < lines.length; from += 40)
    simulated.log('shop-checkout-1', lines.slice(from, from + 40));
  await simulated.alerts([
    alertOf(simulated, {
      rule: 'memory near its limit',
      severity: 'critical',
      name: 'shop-checkout-1',
      startsAt: ago(7),
      value: 0.93,
      threshold: 0.9,
      limit: 512 * MEBIBYTE,
      summary: 'shop-checkout-1 uses 93 % of its memory limit',
    }),
    alertOf(simulated, {
      rule: 'unhealthy',
      severity: 'warning',
      name: 'shop-search-1',
      startsAt: ago(5),
      value: 1,
      threshold: 1,
      summary: 'shop-search-1 has been unhealthy for 5 minutes',
    }),
    alertOf(simulated, {
      rule: 'CPU throttled',
      severity: 'warning',
      name: 'shop-checkout-1',
      startsAt: ago(1),
      value: 0.35,
      threshold: 0.25,
      summary: 'shop-checkout-1 was throttled in 35 % of its periods',
      status: 'pending',
    }),
    alertOf(simulated, {
      rule: 'memory near its limit',
      severity: 'critical',
      name: 'shop-checkout-1',
      startsAt: ago(24),
      endsAt: ago(21),
      value: 0.98,
      threshold: 0.9,
      limit: 512 * MEBIBYTE,
      summary: 'shop-checkout-1 uses 98 % of its memory limit',
      status: 'resolved',
    }),
  ]);
  return simulated;
}
