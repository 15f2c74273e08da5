/** Evaluates metric rules on the samples of one container, or of the host. */
import type { Resource } from '../../collectors/records/records.ts';
import type { AlertFactory } from './alert-factory.ts';
import { type AlertState, newAlertState } from './alert-state.ts';
import type { AlertStateStore } from './alert-state-store.ts';
import { isMet } from './condition.ts';
import type { SampleViews } from './expression.ts';
import type { MetricRule } from './rule.ts';
import { arePreconditionsMet, type CompiledRule } from './rule-resolver.ts';
import type { SampleHistory } from './sample-history.ts';
import { type EvaluationOutcome, transition } from './transition.ts';

/** Rounds without a value after which it counts as gone: one failed read must not resolve an alert. */
export const MAX_MISSED_ROUNDS = 3;

export interface MetricEvaluatorOptions {
  /** From one round to the next, ms. */
  readonly interval: number;
  readonly states: AlertStateStore;
  readonly factory: AlertFactory;
  readonly isDaemonUnreachable: (containerId: string) => boolean;
  /** When the agent started, ms of the monotonic clock. */
  readonly startedAtMs: number;
}

export class MetricEvaluator {
  private readonly options: MetricEvaluatorOptions;

  constructor(options: MetricEvaluatorOptions) {
    this.options = options;
  }

  /** @param host the host that the container runs on; the history itself for the host's rules */
  evaluate(
    history: SampleHistory,
    rules: readonly CompiledRule[],
    resource: Resource,
    host: SampleHistory,
  ): void {
    const views: SampleViews = { container: history, host };
    const { container, now } = history;
    const { states, factory } = this.options;
    const known = states.statesOf(container?.id ?? '');
    for (const compiled of rules) {
      const { rule, expression } = compiled;
      if (rule.isHostRule !== (container === undefined)) continue;
      const value = expression.value(views);
      const holds = isMet(rule.condition, value) && arePreconditionsMet(compiled, views);
      const state = known?.get(rule.name);
      if (state === undefined || state.lifecycle.status === 'resolved') {
        // Almost every evaluation ends here, and allocates nothing.
        if (holds) this.start(compiled, history, resource, value, views);
        continue;
      }
      state.resource = resource;
      state.wasEvaluated = true;
      state.missedRounds = Number.isNaN(value) ? state.missedRounds + 1 : 0;
      const outcome = this.outcomeOf(compiled, state, history, value, holds, views);
      const { next, emit } = transition(state.lifecycle, outcome, rule, now);
      if (next === undefined) {
        states.delete(state);
        continue;
      }
      state.lifecycle = next;
      if (Number.isFinite(value)) state.alert = { ...state.alert, value, limit: expression.limit(views) };
      if (emit === 'firing') this.fire(compiled, state, value, views);
      else if (emit === 'resolved') states.emit(state, factory.resolve(state.alert));
    }
  }

  private outcomeOf(
    compiled: CompiledRule,
    state: AlertState,
    history: SampleHistory,
    value: number,
    holds: boolean,
    views: SampleViews,
  ): EvaluationOutcome {
    const { rule } = compiled;
    if (Number.isNaN(value)) return this.isValueExpected(rule, history, state) ? 'unknown' : 'unmet';
    if (state.lifecycle.status === 'pending' || rule.resolve === undefined) return holds ? 'met' : 'unmet';
    const persists = arePreconditionsMet(compiled, views) && !isMet(rule.resolve, value);
    return persists ? 'met' : 'unmet';
  }

  /** Whether to wait for a value that is unknown now: a restarted agent, for example, has no history yet. */
  private isValueExpected(
    { expression }: MetricRule,
    { container, startedAt, now }: SampleHistory,
    state: AlertState,
  ): boolean {
    const isRunning = container === undefined || container.pid !== 0;
    if (!isRunning || state.run !== startedAt) return false;
    if (container !== undefined && this.options.isDaemonUnreachable(container.id)) return true;
    const historyMs = expression.window + MAX_MISSED_ROUNDS * this.options.interval;
    return state.missedRounds <= MAX_MISSED_ROUNDS || now - this.options.startedAtMs < historyMs;
  }

  private start(
    compiled: CompiledRule,
    history: SampleHistory,
    resource: Resource,
    value: number,
    views: SampleViews,
  ): void {
    const { rule, expression } = compiled;
    const { container, startedAt = 0n, now } = history;
    const { next, emit } = transition(undefined, 'met', rule, now);
    const figures = { value, limit: expression.limit(views), threshold: rule.condition.threshold };
    const alert = this.options.factory.create(rule, resource, container?.id ?? '', figures);
    const state = newAlertState(next!, alert, resource, startedAt);
    this.options.states.add(state);
    if (emit === 'firing') this.fire(compiled, state, value, views);
    else this.options.states.save(state);
  }

  private fire(
    { rule, expression }: CompiledRule,
    state: AlertState,
    value: number,
    views: SampleViews,
  ): void {
    const { states, factory } = this.options;
    const { forecast } = rule.expression;
    const { threshold } = rule.condition;
    const limit = expression.limit(views);
    const bound = forecast === undefined ? threshold : forecast.kind === 'level' ? limit : undefined;
    const measured = factory.measure(expression, views, bound);
    const figures = { value, limit, threshold };
    states.emit(state, factory.fire(state.alert, rule, state.resource, figures, measured, {}));
  }
}
