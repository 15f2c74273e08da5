import test from 'ava';
import {
  type EvaluationOutcome,
  type Lifecycle,
  RESOLVED_RETENTION_MS,
  type Transition,
  transition,
} from '../../agent/alerts/transition.ts';

const NOW = 1_000_000;
const TIMING = { forMs: 30_000, keepMs: 60_000 };

const lifecycle = (more: Partial<Lifecycle>): Lifecycle => ({
  status: 'pending',
  since: NOW,
  clearedAt: undefined,
  resolvedAt: undefined,
  isDelivered: true,
  ...more,
});
const pending = (agoMs: number) => lifecycle({ since: NOW - agoMs });
const firing = (clearedAgoMs?: number) =>
  lifecycle({
    status: 'firing',
    since: NOW - 100_000,
    clearedAt: clearedAgoMs === undefined ? undefined : NOW - clearedAgoMs,
  });
const resolved = (agoMs: number, isDelivered = true) =>
  lifecycle({ status: 'resolved', since: NOW - 2_000_000, resolvedAt: NOW - agoMs, isDelivered });

const startsPending: Transition = { next: pending(0), emit: undefined };
const fires = (since: number, clearedAt?: number): Transition => ({
  next: lifecycle({ status: 'firing', since, clearedAt, isDelivered: false }),
  emit: 'firing',
});
const resolves = (from: Lifecycle, clearedAt: number | undefined): Transition => ({
  next: { ...from, status: 'resolved', clearedAt, resolvedAt: NOW, isDelivered: false },
  emit: 'resolved',
});
const becomes = (next: Lifecycle | undefined): Transition => ({ next, emit: undefined });
const ended = becomes(undefined);

type Row = readonly [
  title: string,
  current: Lifecycle | undefined,
  outcome: EvaluationOutcome,
  expected: Transition,
  timing?: { readonly forMs: number; readonly keepMs: number },
];

const AT_ONCE = { forMs: 0, keepMs: 0 };

const table: readonly Row[] = [
  ['inactive: a met condition starts it', undefined, 'met', startsPending],
  ['inactive: a met condition without "for" fires at once', undefined, 'met', fires(NOW), AT_ONCE],
  ['inactive: an event fires at once, whatever "for" says', undefined, 'event', fires(NOW, NOW)],
  ['inactive: an unmet condition changes nothing', undefined, 'unmet', ended],
  ['inactive: an unknown value changes nothing', undefined, 'unknown', ended],
  ['inactive: a missing container changes nothing', undefined, 'gone', ended],

  ['pending: met for less than "for"', pending(29_999), 'met', becomes(pending(29_999))],
  ['pending: met for as long as "for"', pending(30_000), 'met', fires(NOW - 30_000)],
  ['pending: an unknown value keeps the time', pending(40_000), 'unknown', becomes(pending(40_000))],
  ['pending: an unmet condition ends it silently', pending(29_999), 'unmet', ended],
  ['pending: a missing container ends it silently', pending(29_999), 'gone', ended],
  ['pending: an event fires', pending(1), 'event', fires(NOW, NOW)],

  ['firing: a met condition keeps it', firing(), 'met', becomes(firing())],
  ['firing: a condition met again restarts "keep_firing_for"', firing(59_999), 'met', becomes(firing())],
  ['firing: an unknown value keeps it', firing(59_999), 'unknown', becomes(firing())],
  ['firing: an unmet condition starts "keep_firing_for"', firing(), 'unmet', becomes(firing(0))],
  ['firing: unmet for less than "keep_firing_for"', firing(59_999), 'unmet', becomes(firing(59_999))],
  ['firing: unmet for as long', firing(60_000), 'unmet', resolves(firing(), NOW - 60_000)],
  ['firing: unmet, without "keep_firing_for"', firing(), 'unmet', resolves(firing(), NOW), AT_ONCE],
  ['firing: a missing container resolves it at once', firing(10), 'gone', resolves(firing(), NOW - 10)],
  ['firing: another event prolongs it without a second alert', firing(59_999), 'event', becomes(firing(0))],

  ['resolved: shown for a while', resolved(10), 'unmet', becomes(resolved(10))],
  ['resolved: then forgotten', resolved(RESOLVED_RETENTION_MS), 'unmet', ended],
  [
    'resolved: kept until every exporter has accepted it',
    resolved(RESOLVED_RETENTION_MS, false),
    'unmet',
    becomes(resolved(RESOLVED_RETENTION_MS, false)),
  ],
  ['resolved: a met condition starts it again', resolved(10), 'met', startsPending],
  ['resolved: an event fires it again', resolved(10), 'event', fires(NOW, NOW)],
  ['resolved: a missing container changes nothing', resolved(10), 'gone', becomes(resolved(10))],
];

for (const [title, current, outcome, expected, timing = TIMING] of table)
  test(title, (t) => {
    t.deepEqual(transition(current, outcome, timing, NOW), expected);
  });
