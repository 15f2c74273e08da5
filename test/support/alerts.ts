/** The alert engine in virtual time, on the points and events that a test plays. */

import { AlertEngine } from '../../agent/alerts/engine.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import type { Container, EventRecord, Point } from '../../collectors/records/records.ts';
import type { Config } from '../../config/schema.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { fakeContainer } from './container.ts';
import { storeOn } from './store.ts';
import { MEBIBYTE } from './units.ts';

export const alertConfig = (overrides: Partial<Config['alerts']> = {}): Config['alerts'] => ({
  enabled: true,
  enable: [],
  disable: [],
  rules: [],
  labels: undefined,
  alertmanager: {
    urls: [],
    resend: 60_000,
    headers: undefined,
    headers_file: undefined,
    timeout: 10_000,
    certificate: undefined,
    client_certificate: undefined,
    client_key: undefined,
  },
  webhooks: {},
  ...overrides,
});

export const INTERVAL_MS = 10_000;
const EPOCH_MS = Date.UTC(2026, 0, 1);

export class AlertSimulation {
  readonly emitted: Alert[] = [];
  /** Ids of containers that exist, whether or not a round has points of them. */
  readonly existingIds = new Set<string>();
  readonly warnings: string[] = [];
  readonly stored: Map<string, string>;
  states: readonly Alert[] = [];
  now: number;
  private setBackMs = 0;
  /** Whether exporters accept alerts. */
  isAccepting = true;
  private readonly engine: AlertEngine;

  private readonly interval: number;

  constructor(config: Partial<Config['alerts']> = {}, predecessor?: AlertSimulation, interval = INTERVAL_MS) {
    this.interval = interval;
    this.stored = predecessor?.stored ?? new Map();
    this.now = predecessor?.now ?? 0;
    this.engine = new AlertEngine({
      config: alertConfig(config),
      interval,
      sink: {
        emitAlert: (_resource, alert) => {
          this.emitted.push(alert);
          return this.isAccepting ? Promise.resolve() : new Promise(() => {});
        },
        emitAlertStates: (all) => {
          this.states = all;
        },
      },
      store: storeOn(this.stored),
      evidenceOf: (id) => ({ log: [`last line of ${id}`], events: [], memory: { anon: 1 } }),
      hasContainer: (id) => this.existingIds.has(id),
      isDaemonUnreachable: () => false,
      warn: (message) => this.warnings.push(message),
      clock: { monotonicMs: () => this.now, epochMs: () => this.wall },
    });
  }

  /** Plays a round, one interval after the last. */
  playRound(
    containers: readonly (readonly [Container, readonly Point[]])[],
    host: readonly Point[] = [],
  ): void {
    this.now += this.interval;
    const time = BigInt(this.wall) * 1_000_000n;
    const sets: MetricSet[] = containers.map(([container, points]) => ({
      container,
      resource: container.resource,
      startTime: container.startedAt,
      time,
      points: Points.from(points),
    }));
    const resource = { attributes: { 'host.name': 'h' } };
    sets.push({ container: undefined, resource, startTime: 1n, time, points: Points.from(host) });
    // Synchronous, because there are less than 100 containers.
    void this.engine.evaluateRound(sets);
  }

  playEvent(
    container: Container,
    eventName: string,
    attributes: EventRecord['attributes'] = {},
    ago = 0,
  ): void {
    const time = BigInt(this.wall - ago) * 1_000_000n;
    this.engine.handleEvent(container.resource, {
      eventName,
      time,
      severity: 9,
      body: eventName,
      attributes,
    });
  }

  /** Sets the system clock back. */
  setClockBack(ms: number): void {
    this.setBackMs += ms;
  }

  private get wall(): number {
    return EPOCH_MS + this.now - this.setBackMs;
  }

  /** `firing memory`, … in the order of emission. */
  get emissions(): string[] {
    return this.emitted.map(({ status, rule }) => `${status} ${rule}`);
  }
}

/** A container with a resource, as collectors build it. */
export function alertContainer(name: string, labels: Record<string, string> = {}): Container {
  const container = fakeContainer({ id: `id-of-${name}`, name, image: 'web:1', labels });
  container.resource = {
    attributes: { 'container.id': container.id, 'container.name': name },
    subject: { name, image: 'web:1', labels },
  };
  return container;
}

/** Points of memory. @param used, limit in MiB */
export const memoryPoints = (used: number, limit = 100): Point[] => [
  { metric: catalogue.memoryWorkingSet, value: used * MEBIBYTE },
  { metric: catalogue.memoryLimit, value: limit * MEBIBYTE },
];
