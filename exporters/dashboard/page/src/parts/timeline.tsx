/** The timeline above the charts: events and alerts of the visible period. */
import { type Signal, useSignal } from '@preact/signals';
import type { AlertEntry, EventEntry } from '../../../api.ts';
import { clock, levelOf } from '../lib/format.ts';
import { anchorOf } from '../state/events.ts';
import type { LastHour } from '../state/last-hour.ts';
import { AXIS, type ChartMark, type TimeSpan } from './chart.tsx';

export const HOUR_MS = 3_600_000;
/** The whole period with data. */
export const ALL = 0;
/** Minimum length of the visible period. */
const MIN_SPAN_MS = 120_000;
const RANGES = [
  ['10 min', 600_000],
  ['30 min', 1_800_000],
  ['1 h', HOUR_MS],
  ['all', ALL],
] as const;

/** End of an alert; now for one that is not resolved. */
const endOf = ({ endsAt }: AlertEntry, now: number): number => endsAt ?? now;

const ALERT_COLOURS = { critical: 'bad', warning: 'warn', info: 'accent' } as const;

const LEVEL_COLOURS = { error: 'bad', warn: 'warn', info: 'mark', debug: 'mark', none: 'mark' } as const;

export function marksOf(
  events: readonly EventEntry[],
  alerts: readonly AlertEntry[],
  now: number,
): ChartMark[] {
  return [
    ...alerts
      .filter(({ status }) => status !== 'pending')
      .map((alert) => ({
        from: alert.startsAt,
        to: endOf(alert, now),
        colour: ALERT_COLOURS[alert.severity],
      })),
    ...events.map(({ time, severity }) => ({ from: time, colour: LEVEL_COLOURS[levelOf(severity)] })),
  ];
}

/**
 * The visible period.
 * @param length `ALL`, or ms until now
 */
export function shownSpan(
  zoom: TimeSpan | null,
  length: number,
  now: number,
  { times, columns }: LastHour,
): TimeSpan {
  if (zoom !== null) return zoom;
  if (length !== ALL) return { min: now - length, max: now };
  const first = times.findIndex((_, index) => Object.values(columns).some((values) => values[index] != null));
  const age = first === -1 ? HOUR_MS : (now - times[first]!) * 1.02;
  return { min: now - Math.min(HOUR_MS, Math.max(MIN_SPAN_MS, age)), max: now };
}

export function RangeButtons({
  length,
  zoom,
}: {
  readonly length: Signal<number>;
  readonly zoom: Signal<TimeSpan | null>;
}) {
  return (
    <fieldset class="ranges">
      <legend class="unseen">Time shown</legend>
      {RANGES.map(([title, ms]) => (
        <button
          key={ms}
          type="button"
          aria-pressed={zoom.value === null && length.value === ms}
          onClick={() => {
            zoom.value = null;
            length.value = ms;
          }}
        >
          {title}
        </button>
      ))}
      {zoom.value === null ? null : (
        <button
          type="button"
          class="reset"
          onClick={() => {
            zoom.value = null;
          }}
        >
          reset zoom
        </button>
      )}
    </fieldset>
  );
}

export function Timeline(props: {
  readonly events: readonly EventEntry[];
  readonly alerts: readonly AlertEntry[];
  readonly shown: TimeSpan;
  readonly now: number;
  readonly onPick: (event: EventEntry) => void;
}) {
  const { events, alerts, shown, now, onPick } = props;
  const pointed = useSignal('');
  const at = (time: number) => ((time - shown.min) / (shown.max - shown.min)) * 100;
  const visibleEvents = events.filter(({ time }) => time >= shown.min && time <= shown.max);
  const [last] = visibleEvents.slice(-1);
  const caption =
    pointed.value || (last === undefined ? 'No events in this period' : `${clock(last.time)}  ${last.body}`);
  return (
    <section class="timeline" aria-label="Events and alerts">
      <div class="strip" style={{ marginLeft: `${AXIS}px` }}>
        {alerts
          .filter((alert) => endOf(alert, now) >= shown.min && alert.startsAt <= shown.max)
          .map((alert) => {
            const left = Math.max(0, at(alert.startsAt));
            return (
              <span
                key={`${alert.key} ${alert.startsAt}`}
                class={`span ${alert.status === 'pending' ? 'pending' : alert.severity}`}
                title={`${alert.rule}: ${alert.annotations.summary ?? ''}`}
                style={{
                  left: `${left}%`,
                  width: `${Math.max(0.4, Math.min(100, at(endOf(alert, now))) - left)}%`,
                }}
              />
            );
          })}
        {visibleEvents.map((event) => {
          const text = `${clock(event.time)}  ${event.body}`;
          return (
            <button
              key={anchorOf(event)}
              type="button"
              class={`tick ${levelOf(event.severity)}`}
              style={{ left: `${at(event.time)}%` }}
              aria-label={text}
              title={text}
              data-event={event.name}
              onPointerEnter={() => {
                pointed.value = text;
              }}
              onFocus={() => {
                pointed.value = text;
              }}
              onPointerLeave={() => {
                pointed.value = '';
              }}
              onBlur={() => {
                pointed.value = '';
              }}
              onClick={() => onPick(event)}
            />
          );
        })}
      </div>
      <p class="caption">
        <bdi>{caption}</bdi>
      </p>
    </section>
  );
}
