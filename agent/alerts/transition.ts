/**
 * How an alert's state changes: one pure function of the state, the outcome of an evaluation and the time.
 */
import type { Alert } from '../../exporters/alerts/alert.ts';

/** How long a resolved alert stays visible, and is sent to receivers that missed it, ms. */
export const RESOLVED_RETENTION_MS = 900_000;

/** Where an alert is in its life. Times are ms of the monotonic clock. */
export interface Lifecycle {
  readonly status: Alert['status'];
  /** When the condition was first met. */
  readonly since: number;
  /** When the condition stopped being met, while firing; of an event rule, when the last event happened. */
  readonly clearedAt: number | undefined;
  readonly resolvedAt: number | undefined;
  /** Whether every exporter has accepted what was emitted last. */
  readonly isDelivered: boolean;
}

/**
 * What an evaluation found.
 * - `met`: the condition is met; for a firing alert, its `resolve` condition is not.
 * - `unmet`: the opposite.
 * - `unknown`: there is no value now, and one is expected again.
 * - `gone`: the container or the rule no longer exists.
 * - `event`: an event of the rule happened.
 */
export type EvaluationOutcome = 'met' | 'unmet' | 'unknown' | 'gone' | 'event';

export interface Timing {
  /** How long the condition has to be met before the alert fires, ms. */
  readonly forMs: number;
  /** How long the alert keeps firing once its condition is no longer met, ms. */
  readonly keepMs: number;
}

export interface Transition {
  /** Undefined where there is no alert, or none any more. */
  readonly next: Lifecycle | undefined;
  /** What receivers are sent. */
  readonly emit: 'firing' | 'resolved' | undefined;
}

const quiet = (next: Lifecycle | undefined): Transition => ({ next, emit: undefined });

const fire = (since: number, clearedAt: number | undefined): Transition => ({
  next: { status: 'firing', since, clearedAt, resolvedAt: undefined, isDelivered: false },
  emit: 'firing',
});

const pend = (since: number, now: number, forMs: number): Transition =>
  now - since >= forMs
    ? fire(since, undefined)
    : quiet({ status: 'pending', since, clearedAt: undefined, resolvedAt: undefined, isDelivered: true });

const resolve = (current: Lifecycle, clearedAt: number | undefined, now: number): Transition => ({
  next: { ...current, status: 'resolved', clearedAt, resolvedAt: now, isDelivered: false },
  emit: 'resolved',
});

/**
 * @param current undefined where there is no alert
 * @param now ms of the monotonic clock; of an event, when it happened
 */
export function transition(
  current: Lifecycle | undefined,
  outcome: EvaluationOutcome,
  { forMs, keepMs }: Timing,
  now: number,
): Transition {
  switch (current?.status) {
    case undefined:
    case 'resolved':
      if (outcome === 'event') return fire(now, now);
      if (outcome === 'met') return pend(now, now, forMs);
      return quiet(isExpired(current, now) ? undefined : current);
    case 'pending':
      if (outcome === 'event') return fire(now, now);
      if (outcome === 'met') return pend(current.since, now, forMs);
      return quiet(outcome === 'unknown' ? current : undefined);
    case 'firing': {
      if (outcome === 'gone') return resolve(current, current.clearedAt, now);
      if (outcome === 'event') return quiet({ ...current, clearedAt: now });
      if (outcome !== 'unmet')
        return quiet(current.clearedAt === undefined ? current : { ...current, clearedAt: undefined });
      const clearedAt = current.clearedAt ?? now;
      if (now - clearedAt >= keepMs) return resolve(current, clearedAt, now);
      return quiet(current.clearedAt === undefined ? { ...current, clearedAt } : current);
    }
  }
}

const isExpired = (current: Lifecycle | undefined, now: number): boolean =>
  current?.resolvedAt !== undefined &&
  current.isDelivered &&
  now - current.resolvedAt >= RESOLVED_RETENTION_MS;
