/** All events of the host. */

import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { EventEntry } from '../../../api.ts';
import { clock, levelOf } from '../lib/format.ts';
import { useKeys } from '../lib/keys.ts';
import { EventList } from '../parts/events.tsx';
import { Search } from '../parts/search.tsx';
import { HOUR_MS } from '../parts/timeline.tsx';
import { compareEvents, events, isExec, routineEvents } from '../state/events.ts';
import { now } from '../state/live.ts';

const BARS = 60;
const HEIGHT = 44;
const MAX_SHOWN = 400;

const filter = signal('');
const severity = signal(0);
const withInventory = signal(false);

const INVENTORY = /^portlight\.inventory\./;

function matches({ name, body, container }: EventEntry, search: string): boolean {
  const text = `${name} ${body} ${container?.name ?? ''}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Number of events in each minute of the last hour. */
function Density({ all, end }: { readonly all: readonly EventEntry[]; readonly end: number }) {
  const step = HOUR_MS / BARS;
  const last = Math.ceil(end / step) * step;
  const bars = Array.from({ length: BARS }, () => ({ error: 0, warn: 0, other: 0 }));
  for (const { time, severity: grade } of all) {
    const bar = bars[BARS - 1 - Math.floor((last - time) / step)];
    if (bar === undefined) continue;
    const level = levelOf(grade);
    bar[level === 'error' || level === 'warn' ? level : 'other']++;
  }
  const most = Math.max(4, ...bars.map(({ error, warn, other }) => error + warn + other));
  const width = 100 / BARS;
  return (
    <figure class="density">
      <svg
        viewBox={`0 0 100 ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${all.length} events in the last hour, per minute`}
      >
        {bars.flatMap((bar, index) => {
          let top = HEIGHT;
          return (['other', 'warn', 'error'] as const).map((level) => {
            const height = (bar[level] / most) * HEIGHT;
            top -= height;
            return height === 0 ? null : (
              <rect
                key={`${index} ${level}`}
                class={level}
                x={index * width}
                y={top}
                width={width * 0.8}
                height={height}
              />
            );
          });
        })}
      </svg>
      <figcaption>
        <span>{clock(last - HOUR_MS).slice(0, 5)}</span>
        <span>{clock(last - HOUR_MS / 2).slice(0, 5)}</span>
        <span>{clock(last).slice(0, 5)}</span>
      </figcaption>
    </figure>
  );
}

export function EventsView() {
  const search = useRef<HTMLInputElement>(null);
  useKeys({
    '/': () => search.current?.focus(),
    Escape: () => {
      filter.value = '';
    },
  });
  // The inventory found at start is among the routine events.
  const all = withInventory.value
    ? [...events.value, ...routineEvents.value.filter((event) => !isExec(event))].sort(compareEvents)
    : events.value;
  const shown = all.filter(
    (event) =>
      event.severity >= severity.value &&
      (withInventory.value || !INVENTORY.test(event.name)) &&
      (filter.value === '' || matches(event, filter.value)),
  );
  return (
    <main class="page">
      <h1 class="unseen">Events</h1>
      <Density all={shown} end={now.value} />
      <div class="tools">
        <Search
          label="Filter events"
          placeholder="Filter by name, container, text"
          value={filter}
          input={search}
        />
        <label>
          <span class="unseen">Severity</span>
          <select
            value={severity.value}
            onChange={(event) => {
              severity.value = Number(event.currentTarget.value);
            }}
          >
            <option value={0}>All severities</option>
            <option value={13}>Warnings and errors</option>
            <option value={17}>Errors</option>
          </select>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={withInventory.value}
            onChange={(event) => {
              withInventory.value = event.currentTarget.checked;
            }}
          />{' '}
          Images, volumes and networks
        </label>
        <span class="note" role="status">
          {shown.length} of {all.length}
        </span>
      </div>
      <EventList events={shown.slice(-MAX_SHOWN)} names />
    </main>
  );
}
