/** Alerts of the last hour, of those that are kept for the time line, and which containers have some now. */

import type { UnixNano } from '../../collectors/records/records.ts';
import type { Alert } from '../alerts/alert.ts';
import type { AlertBatch } from '../shared/batch.ts';
import type { AlertEntry, AlertMark } from './api.ts';
import { HOUR_MS } from './usage-history.ts';

/** Alerts that are kept once they are resolved. */
export const MAX_RESOLVED_ALERTS = 200;
const NO_MARKS: readonly AlertMark[] = [];

const milliseconds = (time: UnixNano): number => Number(time / 1_000_000n);
const occasionOf = ({ key, startsAt }: Alert): string => `${key} ${startsAt}`;

function entryOf({ startsAt, endsAt, resource: _, ...rest }: Alert): AlertEntry {
  return {
    ...rest,
    startsAt: milliseconds(startsAt),
    endsAt: endsAt === undefined ? null : milliseconds(endsAt),
  };
}

export class AlertStore {
  private current = new Map<string, Alert>();
  /** Oldest first. */
  private resolved = new Map<string, Alert>();
  private marks = new Map<string, AlertMark[]>();
  private signature = '';

  /**
   * @param now ms since the epoch
   * @returns whether any came, went, or has another status or value
   */
  update({ alerts }: AlertBatch, now: number): boolean {
    const before = this.current;
    this.current = new Map();
    for (const alert of alerts) {
      if (alert.status === 'resolved') this.resolved.set(occasionOf(alert), alert);
      else this.current.set(occasionOf(alert), alert);
    }
    // One that fired and is told of no more has ended, whatever of: its container may be gone.
    for (const [occasion, alert] of before) {
      if (alert.status === 'firing' && !this.current.has(occasion) && !this.resolved.has(occasion))
        this.resolved.set(occasion, { ...alert, status: 'resolved', endsAt: BigInt(now) * 1_000_000n });
    }
    for (const [occasion, { endsAt = 0n }] of this.resolved) {
      if (this.resolved.size > MAX_RESOLVED_ALERTS || now - milliseconds(endsAt) > HOUR_MS)
        this.resolved.delete(occasion);
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
    // Of those that are over, the last value does not change.
    const signature = all
      .map((alert) => `${occasionOf(alert)} ${alert.status} ${alert.value.toPrecision(2)}`)
      .join();
    const isChanged = signature !== this.signature;
    this.signature = signature;
    return isChanged;
  }

  /** Pending and firing ones. @param id of a container; '' for the host */
  marksOf(id: string): readonly AlertMark[] {
    return this.marks.get(id) ?? NO_MARKS;
  }

  /** Firing first, then pending, then resolved; the newest of each first. */
  list(): AlertEntry[] {
    const order = ['firing', 'pending', 'resolved'];
    return [...this.current.values(), ...this.resolved.values()]
      .map(entryOf)
      .sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || b.startsAt - a.startsAt);
  }

  get count(): number {
    return this.current.size + this.resolved.size;
  }
}
