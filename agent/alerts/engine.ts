/**
 * Evaluates alert rules: metric rules after each round, event rules at each event. Pending and firing alerts
 * are stored, so that a restarted agent emits nothing twice and resolves every alert that its predecessor
 * emitted.
 */

import { setImmediate } from 'node:timers/promises';
import type { TextStore } from '../../collectors/records/collector.ts';
import type { MetricSet } from '../../collectors/records/points.ts';
import type { EventRecord, Metric, Resource } from '../../collectors/records/records.ts';
import { parsePairs } from '../../config/receiver-options.ts';
import type { Config } from '../../config/schema.ts';
import type { Alert } from '../../exporters/alerts/alert.ts';
import { AlertFactory, type ContainerEvidence } from './alert-factory.ts';
import type { AlertState } from './alert-state.ts';
import { AlertStateStore } from './alert-state-store.ts';
import { type Clock, systemClock } from './clock.ts';
import { EventEvaluator } from './event-evaluator.ts';
import { MAX_MISSED_ROUNDS, MetricEvaluator } from './metric-evaluator.ts';
import { parseRules } from './parse-rules.ts';
import type { Rule } from './rule.ts';
import { RuleResolver } from './rule-resolver.ts';
import { SampleHistory } from './sample-history.ts';
import { type EvaluationOutcome, transition } from './transition.ts';

/** Containers that are evaluated without a pause; takes a few milliseconds. */
const SLICE_SIZE = 100;

export interface AlertSink {
  /** Emits an alert that fired or was resolved. Resolves when every exporter has accepted it. */
  emitAlert(resource: Resource, alert: Alert): Promise<void>;
  /** Emits the current state of all alerts. */
  emitAlertStates(alerts: readonly Alert[]): void;
}

export interface AlertEngineOptions {
  readonly config: Config['alerts'];
  /** From one round to the next, ms. */
  readonly interval: number;
  readonly sink: AlertSink;
  readonly store: TextStore;
  readonly evidenceOf: (containerId: string) => ContainerEvidence;
  /** Whether the daemon still has the container. */
  readonly hasContainer: (containerId: string) => boolean;
  /** Whether the container's daemon, the only source of its metrics, does not answer. */
  readonly isDaemonUnreachable: (containerId: string) => boolean;
  /** Reports an invalid label of a container. */
  readonly warn: (message: string) => void;
  readonly clock?: Clock;
}

export class AlertEngine {
  private readonly options: AlertEngineOptions;
  private readonly clock: Clock;
  private readonly rules: ReadonlyMap<string, Rule>;
  private readonly resolver: RuleResolver;
  private readonly factory: AlertFactory;
  private readonly states: AlertStateStore;
  private readonly host: SampleHistory;
  /** Stands for a host whose metrics are unknown: that of a remote daemon. */
  private readonly unknownHost: SampleHistory;
  /** By container id. */
  private histories = new Map<string, SampleHistory>();
  private readonly metricEvaluator: MetricEvaluator;
  private readonly eventEvaluator: EventEvaluator;

  constructor(options: AlertEngineOptions) {
    this.options = options;
    const clock = options.clock ?? systemClock;
    this.clock = clock;
    const { rules } = parseRules(options.config);
    this.rules = new Map(rules.map((rule) => [rule.name, rule]));
    this.resolver = new RuleResolver(rules, options.interval, options.warn);
    this.factory = new AlertFactory({
      labels: parsePairs(options.config.labels ?? '') ?? {},
      evidenceOf: options.evidenceOf,
      epochMs: () => clock.epochMs(),
    });
    this.host = new SampleHistory(this.resolver.layout.host);
    this.unknownHost = new SampleHistory(this.resolver.layout.host);
    this.unknownHost.row.fill(Number.NaN);
    this.states = new AlertStateStore({
      store: options.store,
      emitAlert: (resource, alert) => options.sink.emitAlert(resource, alert),
      epochOffsetMs: () => clock.epochMs() - clock.monotonicMs(),
    });
    const { resolver, states, factory, host } = this;
    this.metricEvaluator = new MetricEvaluator({
      interval: options.interval,
      states,
      factory,
      isDaemonUnreachable: options.isDaemonUnreachable,
      startedAtMs: clock.monotonicMs(),
    });
    const historyOf = (containerId: string) => this.histories.get(containerId);
    this.eventEvaluator = new EventEvaluator({ resolver, states, factory, clock, host, historyOf });
    states.restore();
  }

  /** The metrics that rules read. */
  get metrics(): Set<Metric> {
    const { container, host } = this.resolver.selectors;
    return new Set([...container.metrics, ...host.metrics]);
  }

  /** Pending, firing and recently resolved alerts, oldest first. */
  get currentAlerts(): Alert[] {
    return this.states
      .all()
      .map(({ alert }) => alert)
      .sort((one, other) => Number(one.startsAt - other.startsAt));
  }

  /** Evaluates all metric rules on the points of a round. Synchronous for up to SLICE_SIZE sets. */
  async evaluateRound(sets: readonly MetricSet[]): Promise<void> {
    const now = this.clock.monotonicMs();
    const histories = new Map<string, SampleHistory>();
    const host = sets.find(({ container, isRemote }) => container === undefined && !isRemote);
    if (host !== undefined) {
      this.host.readSample(host, now);
      this.metricEvaluator.evaluate(this.host, this.resolver.metricRules, host.resource, this.host);
    }
    try {
      for (let from = 0; from < sets.length; from += SLICE_SIZE) {
        // Lets logs and events run between the slices of a large round.
        if (from > 0) await setImmediate();
        for (const set of sets.slice(from, from + SLICE_SIZE)) this.evaluateContainer(set, now, histories);
      }
    } finally {
      this.histories = histories;
    }
    this.host.store();
    this.updateRemaining();
    this.options.sink.emitAlertStates(this.currentAlerts);
  }

  /** @param histories of the containers of this round; the container's is added */
  private evaluateContainer(set: MetricSet, now: number, histories: Map<string, SampleHistory>): void {
    const { container } = set;
    if (container === undefined) return;
    const history = this.histories.get(container.id) ?? new SampleHistory(this.resolver.layout.container);
    histories.set(container.id, history);
    history.container = container;
    history.readSample(set, now);
    const host = set.isRemote ? this.unknownHost : this.host;
    this.metricEvaluator.evaluate(
      history,
      this.resolver.rulesFor(history, container),
      container.resource,
      host,
    );
    history.store();
  }

  /** Evaluates all event rules on an event. */
  handleEvent(resource: Resource, event: EventRecord): void {
    if (this.eventEvaluator.evaluate(resource, event)) this.options.sink.emitAlertStates(this.currentAlerts);
  }

  /** Moves on the alerts that no metric rule was evaluated for in this round. */
  private updateRemaining(): void {
    const now = this.clock.monotonicMs();
    for (const state of this.states.all()) {
      const { wasEvaluated, lifecycle } = state;
      state.wasEvaluated = false;
      const rule = this.rules.get(state.alert.rule);
      let outcome: EvaluationOutcome = 'unmet';
      if (lifecycle.status !== 'resolved' && rule?.kind !== 'event') {
        if (wasEvaluated) continue;
        // A container that exists and could not be read just now is not gone.
        if (this.exists(state, rule) && ++state.missedRounds <= MAX_MISSED_ROUNDS) continue;
        outcome = 'gone';
      }
      const { next, emit } = transition(lifecycle, outcome, rule ?? { forMs: 0, keepMs: 0 }, now);
      if (next === undefined) this.states.delete(state);
      else state.lifecycle = next;
      if (emit === 'resolved') this.states.emit(state, this.factory.resolve(state.alert));
    }
  }

  private exists({ alert: { container } }: AlertState, rule: Rule | undefined): boolean {
    return rule !== undefined && (container === undefined || this.options.hasContainer(container.id));
  }
}
