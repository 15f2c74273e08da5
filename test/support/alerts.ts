/** The engine of alerts with a clock that a test moves, and containers that are what it says. */

import { AlertEngine } from '../../agent/alerts/engine.ts';
import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import { Points } from '../../collectors/records/points.ts';
import type { Container, EventRecord, Point } from '../../collectors/records/records.ts';
import type { Config } from '../../config/schema.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { fakeContainer } from './container.ts';
import { storeOn } from './store.ts';

export const alertConfig = (facts: Partial<Config['alerts']> = {}): Config['alerts'] => ({
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
  ...facts,
});

export const INTERVAL_MS = 10_000;
const EPOCH_MS = Date.UTC(2026, 0, 1);

export class Scene {
  readonly told: Alert[] = [];
  /** Ids of containers that the daemon has, whether a round has them or not. */
  readonly existing = new Set<string>();
  readonly warnings: string[] = [];
  readonly kept: Map<string, string>;
  state: readonly Alert[] = [];
  now: number;
  private back = 0;
  /** Whether exporters take charge of what they are told. */
  delivers = true;
  private readonly engine: AlertEngine;

  private readonly interval: number;

  constructor(config: Partial<Config['alerts']> = {}, before?: Scene, interval = INTERVAL_MS) {
    this.interval = interval;
    this.kept = before?.kept ?? new Map();
    this.now = before?.now ?? 0;
    this.engine = new AlertEngine({
      config: alertConfig(config),
      interval,
      sink: {
        emitAlert: (_resource, alert) => {
          this.told.push(alert);
          return this.delivers ? Promise.resolve() : new Promise(() => {});
        },
        emitAlertStates: (all) => {
          this.state = all;
        },
      },
      store: storeOn(this.kept),
      evidenceOf: (id) => ({ log: [`last line of ${id}`], events: [], memory: { anon: 1 } }),
      hasContainer: (id) => this.existing.has(id),
      isDaemonUnreachable: () => false,
      warn: (message) => this.warnings.push(message),
      clock: { monotonicMs: () => this.now, epochMs: () => this.wall },
    });
  }

  /** One round, an interval after the last. @param points of each container, and of the host */
  round(containers: readonly (readonly [Container, readonly Point[]])[], host: readonly Point[] = []): void {
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
    // At one go: there are less than a hundred containers.
    void this.engine.evaluateRound(sets);
  }

  event(container: Container, eventName: string, attributes: EventRecord['attributes'] = {}, ago = 0): void {
    const time = BigInt(this.wall - ago) * 1_000_000n;
    this.engine.handleEvent(container.resource, {
      eventName,
      time,
      severity: 9,
      body: eventName,
      attributes,
    });
  }

  /** Somebody sets the clock. @param ms */
  setBack(ms: number): void {
    this.back += ms;
  }

  private get wall(): number {
    return EPOCH_MS + this.now - this.back;
  }

  /** `firing memory`, … in the order that they were told. */
  get story(): string[] {
    return this.told.map(({ status, rule }) => `${status} ${rule}`);
  }
}

/** A container with a resource, as the collectors make it. */
export function watchedContainer(name: string, labels: Record<string, string> = {}): Container {
  const container = fakeContainer({ id: `id-of-${name}`, name, image: 'web:1', labels });
  container.resource = {
    attributes: { 'container.id': container.id, 'container.name': name },
    subject: { name, image: 'web:1', labels },
  };
  return container;
}

export const MIB = 1024 ** 2;

/** Memory in MiB. */
export const memory = (used: number, limit = 100): Point[] => [
  { metric: catalogue.memoryWorkingSet, value: used * MIB },
  { metric: catalogue.memoryLimit, value: limit * MIB },
];
