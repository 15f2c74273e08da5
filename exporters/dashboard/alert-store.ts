/** Current alerts, and those that were resolved in the last hour. */

import type { UnixNano } from '../../collectors/records/records.ts';
import { BoundedMap } from '../../collectors/shared/bounded-map.ts';
import type { Alert } from '../alerts/alert.ts';
import type { AlertBatch } from '../shared/batch.ts';
import type { AlertEntry, AlertMark } from './api.ts';
import { HISTORY_MS } from './usage-history.ts';

/** Limit of resolved alerts. */
export const MAX_RESOLVED_ALERTS = 200;
const NO_MARKS: readonly AlertMark[] = [];

const milliseconds = (time: UnixNano): number => Number(time / 1_000_000n);
const instanceKey = ({ key, startsAt }: Alert): string => `${key} ${startsAt}`;

function toAlertEntry({ startsAt, endsAt, resource: _, ...rest }: Alert): AlertEntry {
  return {
    ...rest,
    startsAt: milliseconds(startsAt),
    endsAt: endsAt === undefined ? null : milliseconds(endsAt),
  };
}

export class AlertStore {
  private current = new Map<string, Alert>();
  private readonly resolved = new BoundedMap<string, Alert>(MAX_RESOLVED_ALERTS);
  private marks = new Map<string, AlertMark[]>();
  private signature = '';

  /**
   * Replaces the current alerts.
   * @param now ms since the epoch
   * @returns whether an alert is new, resolved, or has another status or value
   */
  update({ alerts }: AlertBatch, now: number): boolean {
    const before = this.current;
    this.current = new Map();
    const reported = new Set<string>();
    for (const alert of alerts) {
      const key = instanceKey(alert);
      reported.add(key);
      if (alert.status === 'resolved') this.resolved.set(key, alert);
      else this.current.set(key, alert);
    }
    // A firing alert that is missing from the batch is resolved: its container may have been removed.
    for (const [key, alert] of before) {
      if (alert.status === 'firing' && !reported.has(key) && !this.resolved.has(key))
        this.resolved.set(key, { ...alert, status: 'resolved', endsAt: BigInt(now) * 1_000_000n });
    }
    for (const [key, { endsAt = 0n }] of this.resolved) {
      if (now - milliseconds(endsAt) > HISTORY_MS) this.resolved.delete(key);
    }
    this.marks = new Map();
    for (const { container, rule, severity, status, annotations } of this.current.values()) {
      const id = container?.id ?? '';
      const mark = { rule, severity, status, summary: annotations.summary ?? rule };
      const marks = this.marks.get(id);
      if (marks === undefined) this.marks.set(id, [mark]);
      else marks.push(mark);
    }
    const all = [...this.current.values(), ...this.resolved.values()];
    // The value of a resolved alert no longer changes, but its place in the map does.
    const signature = all
      .map((alert) => `${instanceKey(alert)} ${alert.status} ${alert.value.toPrecision(2)}`)
      .sort()
      .join();
    const isChanged = signature !== this.signature;
    this.signature = signature;
    return isChanged;
  }

  /** Pending and firing alerts. @param id of a container; '' for the host */
  marksOf(id: string): readonly AlertMark[] {
    return this.marks.get(id) ?? NO_MARKS;
  }

  /** Firing alerts, then pending, then resolved ones; the newest of each first. */
  list(): AlertEntry[] {
    const order = ['firing', 'pending', 'resolved'];
    return [...this.current.values(), ...this.resolved.values()]
      .map(toAlertEntry)
      .sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || b.startsAt - a.startsAt);
  }

  get count(): number {
    return this.current.size + this.resolved.size;
  }
}
