/**
 * Evaluates rules: those of metrics after each round, those of events as they come. What fires and what pends is kept, so
 * that a restarted agent tells nothing twice, and the end of everything that it told.
 */

import { setImmediate } from 'node:timers/promises';
import type { TextStore } from '../../collectors/records/collector.ts';
import type { MetricSet, Points } from '../../collectors/records/points.ts';
import type { Attributes, EventRecord, Metric, Resource } from '../../collectors/records/records.ts';
import { parsePairs } from '../../config/receiver-options.ts';
import type { Config } from '../../config/schema.ts';
import type { Alert, AlertEvidence, Measured } from '../../exporters/alerts/alert.ts';
import { fillIn, viewOf } from '../../exporters/alerts/text.ts';
import type { AlertState } from './alert-state.ts';
import { AlertStateStore } from './alert-state-store.ts';
import { compileRules } from './compile-rules.ts';
import { isMet } from './condition.ts';
import type { CompiledExpression, SampleViews } from './expression.ts';
import type { EventRule, MetricRule, Rule } from './rule.ts';
import { arePreconditionsMet, type CompiledRule, RuleResolver } from './rule-resolver.ts';
import { SampleHistory } from './sample-history.ts';

/** How long a resolved alert is shown, and told to whoever did not hear it, ms. */
const RESOLVED_MS = 900_000;
/** As many are evaluated at one go: a few milliseconds. */
const PART = 100;
/** Rounds without a figure that are waited for: a file that could not be read once is no end of an alert. */
const MISSED = 3;

export interface AlertSink {
  /** An alert fired, or was resolved. Resolves when every exporter has taken charge of it. */
  emitAlert(resource: Resource, alert: Alert): Promise<void>;
  /** How all of them are. */
  emitAlertStates(alerts: readonly Alert[]): void;
}

export interface AlertEngineOptions {
  readonly config: Config['alerts'];
  /** From one round to the next, ms. */
  readonly interval: number;
  readonly sink: AlertSink;
  readonly store: TextStore;
  /** What is known of a container's last moments. */
  readonly evidenceOf: (id: string) => Omit<AlertEvidence, keyof Measured>;
  /** Whether the daemon has a container. */
  readonly hasContainer: (id: string) => boolean;
  /** Whether a container's daemon, which alone has its figures, cannot be asked for them. */
  readonly isDaemonUnreachable: (id: string) => boolean;
  /** Told what is wrong with a container's label. */
  readonly warn: (message: string) => void;
  readonly clock?: Clock;
}

export interface Clock {
  /** ms, monotonic. */
  monotonicMs(): number;
  /** ms since the epoch. */
  epochMs(): number;
}

const systemClock: Clock = { monotonicMs: () => performance.now(), epochMs: () => Date.now() };

const containerOf = ({ subject }: Resource, id: string | undefined): Alert['container'] =>
  subject === undefined || id === undefined ? undefined : { id, name: subject.name, image: subject.image };

const NOTHING: Measured = { series: [], seriesUnit: '', seriesBound: undefined };

const nanoOf = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;

export class AlertEngine {
  private readonly options: AlertEngineOptions;
  private readonly clock: Clock;
  private readonly rules: ReadonlyMap<string, Rule>;
  private readonly bindings: RuleResolver;
  private readonly states: AlertStateStore;
  private readonly host: SampleHistory;
  /** Of other hosts nothing is known. */
  private readonly elsewhere: SampleHistory;
  private tracks = new Map<string, SampleHistory>();
  private readonly labels: Readonly<Record<string, string>>;
  /** When this process began to look. */
  private readonly begun: number;

  constructor(options: AlertEngineOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.begun = this.clock.monotonicMs();
    this.labels = parsePairs(options.config.labels ?? '') ?? {};
    const { rules } = compileRules(options.config);
    this.rules = new Map(rules.map((rule) => [rule.name, rule]));
    this.bindings = new RuleResolver(rules, options.interval, options.warn);
    this.host = new SampleHistory(this.bindings.layout.host);
    this.elsewhere = new SampleHistory(this.bindings.layout.host);
    this.elsewhere.row.fill(Number.NaN);
    this.states = new AlertStateStore({
      store: options.store,
      emitAlert: (resource, alert) => options.sink.emitAlert(resource, alert),
      epochOffsetMs: () => this.clock.epochMs() - this.clock.monotonicMs(),
    });
    this.states.restore();
  }

  /** The metrics that rules look at. */
  get metrics(): Set<Metric> {
    return new Set([...this.bindings.selectors.container.metrics, ...this.bindings.selectors.host.metrics]);
  }

  /** All that are pending or firing, and those that were resolved not long ago; the newest last. */
  get currentAlerts(): Alert[] {
    return this.states
      .all()
      .map(({ alert }) => alert)
      .sort((one, other) => Number(one.startsAt - other.startsAt));
  }

  /** Evaluates what a round has brought, at one go where there are few containers. */
  async evaluateRound(sets: readonly MetricSet[]): Promise<void> {
    const now = this.clock.monotonicMs();
    const tracks = new Map<string, SampleHistory>();
    const host = sets.find(({ container, isRemote }) => container === undefined && !isRemote);
    if (host !== undefined) {
      this.look(this.host, host, now);
      this.evaluate(this.host, this.bindings.metricRules, host.resource, this.host);
    }
    try {
      for (let from = 0; from < sets.length; from += PART) {
        // Logs and events have their turn between the parts of a large round.
        if (from > 0) await setImmediate();
        for (const set of sets.slice(from, from + PART)) this.evaluateContainer(set, now, tracks);
      }
    } finally {
      this.tracks = tracks;
    }
    this.host.store();
    this.endOthers();
    this.options.sink.emitAlertStates(this.currentAlerts);
  }

  /** @param tracks those of this round: added to */
  private evaluateContainer(set: MetricSet, now: number, tracks: Map<string, SampleHistory>): void {
    const { container } = set;
    if (container === undefined) return;
    const track = this.tracks.get(container.id) ?? new SampleHistory(this.bindings.layout.container);
    tracks.set(container.id, track);
    track.container = container;
    this.look(track, set, now);
    const around = set.isRemote ? this.elsewhere : this.host;
    this.evaluate(track, this.bindings.rulesFor(track, container), container.resource, around);
    track.store();
  }

  /** What an event says. */
  handleEvent(resource: Resource, event: EventRecord): void {
    const { eventName, attributes } = event;
    for (const rule of this.bindings.eventRules) {
      if (!rule.matchesEvent(eventName, attributes)) continue;
      const { subject } = resource;
      const id = subject === undefined ? '' : String(resource.attributes['container.id'] ?? '');
      if (subject !== undefined && !this.bindings.appliesTo(rule, subject)) continue;
      this.happened(rule, id, resource, event);
      this.options.sink.emitAlertStates(this.currentAlerts);
    }
  }

  private look(track: SampleHistory, { container, startTime, points, unsent }: MetricSet, now: number): void {
    if (track.startedAt !== startTime) track.startRun(startTime);
    track.now = now;
    track.row.fill(Number.NaN);
    const terms = container === undefined ? this.bindings.selectors.host : this.bindings.selectors.container;
    const read = (part: Points | undefined) => part !== undefined && terms.readInto(part, track.row);
    read(points);
    read(unsent);
  }

  /** @param host what is known of the host that it is on */
  private evaluate(
    track: SampleHistory,
    rules: readonly CompiledRule[],
    resource: Resource,
    host: SampleHistory,
  ): void {
    const views: SampleViews = { container: track, host };
    const { container, now } = track;
    const states = this.states.statesOf(container?.id ?? '');
    for (const ready of rules) {
      const { rule, expression: quantity } = ready;
      if (rule.isHostRule !== (container === undefined)) continue;
      const value = quantity.value(views);
      const holds = isMet(rule.condition, value) && arePreconditionsMet(ready, views);
      const state = states?.get(rule.name);
      if (!holds && (state === undefined || state.status === 'resolved')) continue;
      if (state === undefined || state.status === 'resolved') {
        this.begin(ready, track, resource, value, views);
        continue;
      }
      state.resource = resource;
      state.wasEvaluated = true;
      state.missedRounds = Number.isNaN(value) ? state.missedRounds + 1 : 0;
      if (state.status === 'pending') {
        if (!holds && !(Number.isNaN(value) && this.mayCome(rule, track, state))) this.states.delete(state);
        else if (holds && now - state.since >= rule.forMs) this.fire(ready, state, track, value, views);
        else if (holds) state.alert = { ...state.alert, value };
        continue;
      }
      const stays = Number.isNaN(value)
        ? this.mayCome(rule, track, state)
        : rule.resolve === undefined || !arePreconditionsMet(ready, views)
          ? holds
          : !isMet(rule.resolve, value);
      if (Number.isFinite(value)) state.alert = { ...state.alert, value, limit: quantity.limit(views) };
      this.keepOrResolve(state, stays, rule.keepMs, now);
    }
  }

  /** Whether a value that is not known yet is to be waited for: a restarted agent has no history. */
  private mayCome(
    { expression }: MetricRule,
    { container, startedAt: run, now }: SampleHistory,
    state: AlertState,
  ): boolean {
    const runs = container === undefined || container.pid !== 0;
    if (!runs || state.run !== run) return false;
    if (container !== undefined && this.options.isDaemonUnreachable(container.id)) return true;
    return (
      state.missedRounds <= MISSED || now - this.begun < expression.window + MISSED * this.options.interval
    );
  }

  private begin(
    ready: CompiledRule,
    track: SampleHistory,
    resource: Resource,
    value: number,
    views: SampleViews,
  ): void {
    const { rule, expression: quantity } = ready;
    const { container, now } = track;
    const state: AlertState = {
      status: 'pending',
      since: now,
      run: track.startedAt ?? 0n,
      resource,
      isDelivered: true,
      wasEvaluated: true,
      clearedAt: undefined,
      resolvedAt: undefined,
      lastEvent: 0n,
      eventName: '',
      missedRounds: 0,
      alert: this.filledIn(
        {
          ...this.alertOf(rule, resource, container?.id ?? ''),
          value,
          unit: rule.unit,
          threshold: rule.condition.threshold,
          limit: quantity.limit(views),
        },
        rule,
        {},
      ),
    };
    this.states.add(state);
    if (rule.forMs === 0) this.fire(ready, state, track, value, views);
    else this.states.save(state);
  }

  /** A new alert, of which no figures are known. */
  private alertOf(rule: Rule, resource: Resource, id: string): Alert {
    return {
      key: `${rule.name}/${id}`,
      rule: rule.name,
      severity: rule.severity,
      status: 'pending',
      startsAt: nanoOf(this.clock.epochMs()),
      endsAt: undefined,
      resource: resource.attributes,
      container: containerOf(resource, id),
      value: 0,
      unit: '',
      threshold: undefined,
      limit: undefined,
      limitUnit: rule.expression?.over?.metric.unit ?? '',
      labels: { ...this.labels, ...rule.labels },
      annotations: {},
      evidence: { ...NOTHING, log: [], events: [], memory: {} },
    };
  }

  private fire(
    { rule, expression: quantity }: CompiledRule,
    state: AlertState,
    track: SampleHistory,
    value: number,
    views: SampleViews,
  ): void {
    const { forecast } = rule.expression;
    const { threshold } = rule.condition;
    const limit = quantity.limit(views);
    const bound = forecast === undefined ? threshold : forecast.kind === 'level' ? limit : undefined;
    const measured = this.measured(quantity, views, track.now, bound);
    this.tell(state, rule, { value, limit, threshold }, measured, {});
  }

  private measured(
    quantity: CompiledExpression,
    views: SampleViews,
    now: number,
    seriesBound: number | undefined,
  ): Measured {
    const offset = this.clock.epochMs() - now;
    const series = quantity
      .recentValues(views)
      .map(([time, value]) => [Math.round(time + offset), value] as const);
    return { series, seriesUnit: quantity.recentUnit, seriesBound };
  }

  private happened(rule: EventRule, id: string, resource: Resource, event: EventRecord): void {
    const { eventName, time, attributes } = event;
    const known = this.states.statesOf(id)?.get(rule.name);
    const wall = this.clock.epochMs();
    const age = wall - Number(time / 1_000_000n);
    // What is told a second time, or so late that its alert would have ended, is no news.
    if (age > rule.keepMs || (known !== undefined && isRepeat(known, rule, time))) return;
    const now = this.clock.monotonicMs() - Math.max(0, age);
    if (known?.status === 'firing') {
      known.lastEvent = time;
      known.clearedAt = now;
      // A kill is told by two events.
      if (eventName === known.eventName) known.alert = { ...known.alert, value: known.alert.value + 1 };
      this.states.save(known);
      return;
    }
    const state: AlertState = {
      status: 'pending',
      since: now,
      run: 0n,
      resource,
      isDelivered: true,
      wasEvaluated: true,
      clearedAt: now,
      resolvedAt: undefined,
      lastEvent: time,
      eventName,
      missedRounds: 0,
      alert: { ...this.alertOf(rule, resource, id), unit: '{event}' },
    };
    this.states.add(state);
    const shown = this.bindings.eventExpressions.get(rule);
    const track = this.tracks.get(id);
    const figures = { value: 1, limit: undefined, threshold: undefined };
    if (shown === undefined || track === undefined) {
      this.tell(state, rule, figures, NOTHING, attributes);
      return;
    }
    const views = { container: track, host: this.host };
    const limit = shown.limit(views);
    const measured = this.measured(shown, views, track.now, limit === undefined ? undefined : 1);
    this.tell(state, rule, { ...figures, limit }, measured, attributes);
  }

  private tell(
    state: AlertState,
    rule: Rule,
    figures: Pick<Alert, 'value' | 'limit' | 'threshold'>,
    measured: Measured,
    event: Attributes,
  ): void {
    const { container } = state.alert;
    const known =
      container === undefined ? { log: [], events: [], memory: {} } : this.options.evidenceOf(container.id);
    const alert: Alert = {
      ...state.alert,
      ...figures,
      status: 'firing',
      startsAt: nanoOf(this.clock.epochMs()),
      resource: state.resource.attributes,
      container: containerOf(state.resource, state.alert.container?.id),
      evidence: { ...measured, ...known },
    };
    state.status = 'firing';
    state.alert = this.filledIn(alert, rule, event);
    this.states.emit(state);
  }

  /** With its texts. */
  private filledIn(alert: Alert, rule: Rule, event: Attributes): Alert {
    const view = viewOf(alert, event);
    const filled = (texts: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(texts).map(([name, template]) => [name, fillIn(template, view)]));
    return {
      ...alert,
      labels: { ...this.labels, ...filled(rule.labels) },
      annotations: filled(rule.annotations),
    };
  }

  private keepOrResolve(state: AlertState, stays: boolean, keepMs: number, now: number): void {
    if (stays) {
      state.clearedAt = undefined;
      return;
    }
    state.clearedAt ??= now;
    if (now - state.clearedAt >= keepMs) this.resolve(state);
  }

  private resolve(state: AlertState): void {
    state.status = 'resolved';
    state.resolvedAt = this.clock.monotonicMs();
    state.alert = { ...state.alert, status: 'resolved', endsAt: nanoOf(this.clock.epochMs()) };
    this.states.emit(state);
  }

  /** Whatever no rule has looked at in this round. */
  private endOthers(): void {
    const now = this.clock.monotonicMs();
    for (const state of this.states.all()) {
      const rule = this.rules.get(state.alert.rule);
      if (state.status === 'resolved') {
        // By the clock that nobody sets.
        if (state.isDelivered && now - (state.resolvedAt ?? now) >= RESOLVED_MS) this.states.delete(state);
      } else if (rule?.kind === 'event') this.keepOrResolve(state, false, rule.keepMs, now);
      // The container is gone, or is not meant any more, or there is no such rule any more.
      // One that is there and was not looked at could not be described just now.
      else if (!state.wasEvaluated && !(this.exists(state, rule) && ++state.missedRounds <= MISSED))
        state.status === 'pending' ? this.states.delete(state) : this.resolve(state);
      state.wasEvaluated = false;
    }
  }

  private exists({ alert: { container } }: AlertState, rule: Rule | undefined): boolean {
    return rule !== undefined && (container === undefined || this.options.hasContainer(container.id));
  }
}

/**
 * Whether an event was told before: the daemon repeats them after a while. One of long before, by its time, is another
 * one after a clock was set back.
 */
const isRepeat = ({ lastEvent }: AlertState, { keepMs }: EventRule, time: bigint): boolean =>
  time <= lastEvent && lastEvent - time <= nanoOf(keepMs);
