/** One container: charts of the last hour, log, events and details. */
import { useSignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { ContainerDetails, ContainerSummary, EventEntry } from '../../../api.ts';
import { bytes, count, cpus, percent, rate } from '../lib/format.ts';
import { useKeys } from '../lib/keys.ts';
import { statusLevel, statusText, timeInState } from '../lib/status.ts';
import { Chart, type ChartProps, type TimeSpan } from '../parts/chart.tsx';
import { Details } from '../parts/details.tsx';
import { EventList } from '../parts/events.tsx';
import { LogView } from '../parts/log.tsx';
import { AlertBadge, Sign } from '../parts/status.tsx';
import { ALL, marksOf, RangeButtons, shownSpan, Timeline } from '../parts/timeline.tsx';
import { fetchJson, isAbortError } from '../state/api-client.ts';
import { addEvents, anchorOf, compareEvents, events, routineEvents } from '../state/events.ts';
import { useLastHour } from '../state/last-hour.ts';
import { alerts, containers, marks, now } from '../state/live.ts';
import { go, hrefOf } from '../state/route.ts';

const TABS = ['log', 'events', 'details'] as const;
type Tab = (typeof TABS)[number];
const EVENTS = 500;
/** How often the details are loaded. */
const DETAILS_MS = 10_000;
const MEBIBYTE = 1024 * 1024;

function Heading({ container }: { readonly container: ContainerSummary }) {
  const { id, name, image, project, service, restarts } = container;
  const state = statusLevel(container);
  return (
    <header class="subject">
      <a class="back" href={hrefOf('containers')} aria-label="All containers">
        ‹
      </a>
      <Sign state={state} label={statusText(container)} />
      <h1>
        <bdi>{name}</bdi>
      </h1>
      <AlertBadge marks={marks.value.get(id) ?? []} />
      <p>
        <span class={`word ${state}`}>{statusText(container)}</span>
        <span>{timeInState(container, now.value)}</span>
        {project === null ? null : (
          <span>
            <bdi>{[project, service].filter(Boolean).join(' / ')}</bdi>
          </span>
        )}
        <span>
          <bdi>{image}</bdi>
        </span>
        <span>
          <code>{id.slice(0, 12)}</code>
        </span>
        {restarts !== null && restarts > 0 ? (
          <span class="word warn">
            {restarts} {restarts === 1 ? 'restart' : 'restarts'}
          </span>
        ) : null}
      </p>
    </header>
  );
}

function Charts(props: {
  readonly container: ContainerSummary;
  readonly timelineEvents: readonly EventEntry[];
  readonly onPick: (event: EventEntry) => void;
}) {
  const { container, timelineEvents, onPick } = props;
  const { id, figures } = container;
  const hour = useLastHour(id, figures?.time ?? 0);
  const zoom = useSignal<TimeSpan | null>(null);
  const length = useSignal(ALL);
  const time = now.value;
  const shown = shownSpan(zoom.value, length.value, time, hour);
  const containerAlerts = alerts.value.filter((alert) => alert.container?.id === id);
  const { columns, times } = hour;
  const columnOf = (name: string) => columns[name] ?? [];
  const common = { times, shown, zoom, marks: marksOf(timelineEvents, containerAlerts, time) };
  const charts: (Omit<ChartProps, keyof typeof common> | false)[] = [
    {
      title: 'CPU',
      lines: [{ label: 'CPUs', colour: 'cpu', values: columnOf('cpu') }],
      format: cpus,
      minScale: 0.02,
      limit: figures?.cpuLimit ?? null,
    },
    columnOf('throttled').some((value) => (value ?? 0) > 0) && {
      title: 'CPU throttling',
      lines: [{ label: 'throttled periods', colour: 'warn', values: columnOf('throttled') }],
      format: percent,
      minScale: 0.1,
    },
    {
      title: 'Memory',
      lines: [{ label: 'working set', colour: 'memory', values: columnOf('memory') }],
      format: bytes,
      isBinary: true,
      minScale: MEBIBYTE,
      limit: figures?.memoryLimit ?? null,
    },
    {
      title: 'Network',
      lines: [
        { label: 'received', colour: 'network', values: columnOf('receive') },
        { label: 'transmitted', colour: 'network2', values: columnOf('transmit'), isDashed: true },
      ],
      format: rate,
      isBinary: true,
      minScale: 1024,
    },
    {
      title: 'Disk',
      lines: [
        { label: 'read', colour: 'disk', values: columnOf('read') },
        { label: 'written', colour: 'disk2', values: columnOf('write'), isDashed: true },
      ],
      format: rate,
      isBinary: true,
      minScale: 4096,
    },
    {
      title: 'Processes and threads',
      lines: [{ label: 'PIDs', colour: 'mark', values: columnOf('pids') }],
      format: (value) => count(value === null ? null : Math.round(value)),
      minScale: 4,
      limit: figures?.pidsLimit ?? null,
    },
  ];
  return (
    <section class="charts" aria-label="The last hour">
      <div class="charts-head">
        <h2>Last hour</h2>
        <RangeButtons length={length} zoom={zoom} />
      </div>
      <Timeline events={timelineEvents} alerts={containerAlerts} shown={shown} now={time} onPick={onPick} />
      {charts
        .filter((chart) => chart !== false)
        .map((chart) => (
          <Chart key={chart.title} {...common} {...chart} />
        ))}
    </section>
  );
}

/** Details of a container, reloaded when its status changes and periodically. */
function useDetails(
  container: ContainerSummary | undefined,
  isWanted: boolean,
): ContainerDetails | undefined {
  const [details, setDetails] = useState<ContainerDetails>();
  const id = container?.id;
  const version = Math.floor((container?.figures?.time ?? 0) / DETAILS_MS);
  useEffect(() => {
    if (id === undefined || !isWanted) return;
    const abort = new AbortController();
    fetchJson<ContainerDetails>('/api/container', { id }, abort.signal).then(setDetails, () => {});
    return () => abort.abort();
  }, [id, isWanted, container?.status, version]);
  return details?.id === id ? details : undefined;
}

export function ContainerView({ id }: { readonly id: string }) {
  const container = containers.value.get(id);
  const tab = useSignal<Tab>('log');
  const picked = useSignal<string | undefined>(undefined);
  const details = useDetails(container, tab.value === 'details');
  useEffect(() => {
    const abort = new AbortController();
    fetchJson<{ events: EventEntry[] }>(
      '/api/events',
      { id, limit: EVENTS, exec: 'true' },
      abort.signal,
    ).then(
      (answer) => addEvents(answer.events),
      (error) => {
        if (!isAbortError(error)) console.error(error);
      },
    );
    return () => abort.abort();
  }, [id]);
  useKeys({
    Escape: () => go(hrefOf('containers')),
    l: () => {
      tab.value = 'log';
    },
    e: () => {
      tab.value = 'events';
    },
    d: () => {
      tab.value = 'details';
    },
  });
  if (container === undefined) {
    return (
      <main class="plain">
        <h1>Container not found</h1>
        <p>
          Removed containers are shown for an hour. <a href={hrefOf('containers')}>All containers</a>
        </p>
      </main>
    );
  }
  const belongsHere = (event: EventEntry) => event.container?.id === id;
  // On the timeline, health checks would hide the other events.
  const timelineEvents = events.value.filter(belongsHere);
  const all = [...timelineEvents, ...routineEvents.value.filter(belongsHere)].sort(compareEvents);
  const pick = (event: EventEntry) => {
    tab.value = 'events';
    const anchor = anchorOf(event);
    picked.value = anchor;
    requestAnimationFrame(() => document.getElementById(anchor)?.scrollIntoView({ block: 'nearest' }));
  };
  return (
    <main class="container">
      <Heading container={container} />
      <div class="halves">
        <Charts container={container} timelineEvents={timelineEvents} onPick={pick} />
        <section class="side" aria-label="Log, events and details">
          <div class="tabs" role="tablist">
            {TABS.map((name) => (
              <button
                key={name}
                type="button"
                role="tab"
                id={`tab-${name}`}
                aria-selected={tab.value === name}
                aria-controls="tab-panel"
                onClick={() => {
                  tab.value = name;
                }}
              >
                {name[0]!.toUpperCase() + name.slice(1)}
                {name === 'events' ? <small> {timelineEvents.length}</small> : null}
              </button>
            ))}
          </div>
          <div class="panel" role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab.value}`}>
            {tab.value === 'log' ? <LogView id={id} /> : null}
            {tab.value === 'events' ? <EventList events={all} picked={picked.value} /> : null}
            {tab.value === 'details' && details !== undefined ? <Details container={details} /> : null}
          </div>
        </section>
      </div>
    </main>
  );
}
