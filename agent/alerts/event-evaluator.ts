/** Evaluates event rules. */
import type { EventRecord, Resource } from '../../collectors/records/records.ts';
import { type AlertFactory, NO_SERIES } from './alert-factory.ts';
import { type AlertState, newAlertState } from './alert-state.ts';
import type { AlertStateStore } from './alert-state-store.ts';
import type { Clock } from './clock.ts';
import type { EventRule } from './rule.ts';
import type { RuleResolver } from './rule-resolver.ts';
import type { SampleHistory } from './sample-history.ts';
import { transition } from './transition.ts';

export interface EventEvaluatorOptions {
  readonly resolver: RuleResolver;
  readonly states: AlertStateStore;
  readonly factory: AlertFactory;
  readonly clock: Clock;
  readonly host: SampleHistory;
  /** Samples of a container; undefined where none were taken. */
  readonly historyOf: (containerId: string) => SampleHistory | undefined;
}

export class EventEvaluator {
  private readonly options: EventEvaluatorOptions;

  constructor(options: EventEvaluatorOptions) {
    this.options = options;
  }

  /** @returns whether any rule matched the event */
  evaluate(resource: Resource, event: EventRecord): boolean {
    const { resolver } = this.options;
    const { subject } = resource;
    let isMatched = false;
    for (const rule of resolver.eventRules) {
      if (!rule.matchesEvent(event.eventName, event.attributes)) continue;
      const containerId = subject === undefined ? '' : String(resource.attributes['container.id'] ?? '');
      if (subject !== undefined && !resolver.appliesTo(rule, subject)) continue;
      this.applyEvent(rule, containerId, resource, event);
      isMatched = true;
    }
    return isMatched;
  }

  private applyEvent(rule: EventRule, containerId: string, resource: Resource, event: EventRecord): void {
    const { states, factory, resolver, clock } = this.options;
    const { eventName, time, attributes } = event;
    const known = states.statesOf(containerId)?.get(rule.name);
    const age = clock.epochMs() - Number(time / 1_000_000n);
    // An alert of an event this old would have been resolved already.
    if (age > rule.keepMs || (known !== undefined && isRepeat(known, rule, time))) return;
    const happenedAt = clock.monotonicMs() - Math.max(0, age);
    const { next, emit } = transition(known?.lifecycle, 'event', rule, happenedAt);
    if (known !== undefined && emit === undefined) {
      known.lifecycle = next!;
      known.lastEvent = time;
      // Two events report one OOM kill: only those of the first one's name are counted.
      if (eventName === known.eventName) known.alert = { ...known.alert, value: known.alert.value + 1 };
      states.save(known);
      return;
    }
    const shown = resolver.eventExpressions.get(rule);
    const history = this.options.historyOf(containerId);
    let limit: number | undefined;
    let measured = NO_SERIES;
    if (shown !== undefined && history !== undefined) {
      const views = { container: history, host: this.options.host };
      limit = shown.limit(views);
      measured = factory.measure(shown, views, limit === undefined ? undefined : 1);
    }
    const figures = { value: 1, limit, threshold: undefined };
    const alert = factory.create(rule, resource, containerId, figures);
    const state = newAlertState(next!, alert, resource, 0n, event);
    states.add(state);
    states.emit(state, factory.fire(alert, rule, resource, figures, measured, attributes));
  }
}

/**
 * Whether the event was handled before: the daemon repeats events after a reconnect. An event that is much
 * older than the last one is another event, after the clock was set back.
 */
const isRepeat = ({ lastEvent }: AlertState, { keepMs }: EventRule, time: bigint): boolean =>
  time <= lastEvent && lastEvent - time <= BigInt(Math.round(keepMs)) * 1_000_000n;
