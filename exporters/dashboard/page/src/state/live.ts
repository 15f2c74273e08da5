/** What the page knows, kept up to date by the agent's stream. */
import { batch, computed, signal } from '@preact/signals';
import type {
  AlertEntry,
  AlertMark,
  ContainerSummary,
  Containers,
  EventEntry,
  HostFigures,
  LogEntry,
  Messages,
} from '../../../api.ts';
import { fetchJson, isAbortError, needsToken } from './api-client.ts';
import { addEvents, MAX_EVENTS } from './events.ts';
import { addFigures, removeSparkline } from './sparklines.ts';

const RETRY_MS = 2000;
/** The agent sends a beat every 15 s: without anything for so long it is gone, or hangs. */
const SILENCE_MS = 2.5 * 15_000;
/** For so long it is waited whether something else is to be followed: each change begins the stream anew. */
const SETTLE_MS = 50;

export const containers = signal<ReadonlyMap<string, ContainerSummary>>(new Map());
export const alerts = signal<readonly AlertEntry[]>([]);
export const hostFigures = signal<HostFigures | null>(null);
export const about = signal({ version: '', host: '', interval: 10_000 });
/** When something came last, by our own clock; 0 before the first. */
export const lastMessageAt = signal(0);
export const isLive = signal(false);
export const isDaemonConnected = signal(true);
/** Moves every second, for what shows how long something is. */
export const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
  if (source !== undefined && now.value - lastSignAt > SILENCE_MS) handleConnectionLost();
}, 1000);

/** Pending and firing alerts by container id; '' for the host. */
export const marks = computed(() => {
  const found = new Map<string, AlertMark[]>();
  for (const { container, rule, severity, status, annotations } of alerts.value) {
    if (status === 'resolved') continue;
    const id = container?.id ?? '';
    found.set(id, [
      ...(found.get(id) ?? []),
      { rule, severity, status, summary: annotations.summary ?? rule },
    ]);
  }
  return found;
});

type LinesListener = (message: Messages['lines']) => void;
/** Told of the lines that are followed. */
const listeners = new Set<LinesListener>();
/** Told whenever the stream began anew: what came meanwhile was missed. */
const restarts = new Set<() => void>();

/** Undefined while none is open. */
let source: EventSource | undefined;
/** When that was opened, or something came by it last. */
let lastSignAt = 0;
/** What is to be followed, and what the stream that is open follows. */
let wanted: readonly string[] = [];
let followed = '';
let settling: ReturnType<typeof setTimeout> | undefined;
/** Times in a row that the stream could not be had. */
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Has lines of these containers sent. @returns what ends that */
export function followLines(
  ids: readonly string[],
  onLines: LinesListener,
  onRestart: () => void,
): () => void {
  listeners.add(onLines);
  restarts.add(onRestart);
  setFollowed(ids);
  return () => {
    listeners.delete(onLines);
    restarts.delete(onRestart);
    if (wanted === ids) setFollowed([]);
  };
}

function setFollowed(ids: readonly string[]): void {
  wanted = ids;
  clearTimeout(settling);
  settling = setTimeout(() => {
    if (wanted.join() !== followed) connect();
  }, SETTLE_MS);
}

async function loadEvents(): Promise<void> {
  try {
    const { events: all } = await fetchJson<{ events: EventEntry[] }>('/api/events', { limit: MAX_EVENTS });
    addEvents(all);
  } catch (error) {
    if (!isAbortError(error)) handleConnectionLost();
  }
}

const byId = ({ containers: all }: Containers): ReadonlyMap<string, ContainerSummary> =>
  new Map(all.map((container) => [container.id, container]));

function replace(container: ContainerSummary): void {
  containers.value = new Map(containers.value).set(container.id, container);
}

/** A beat says nothing but that the agent is there. */
type MessageName = Exclude<keyof Messages, 'beat'>;

const handlers: { readonly [Name in MessageName]: (data: Messages[Name]) => void } = {
  snapshot(data) {
    batch(() => {
      containers.value = byId(data);
      alerts.value = data.alerts;
      about.value = { version: data.version, host: data.host, interval: data.interval };
      hostFigures.value = data.hostFigures;
      isDaemonConnected.value = data.connected;
      isLive.value = true;
      failures = 0;
    });
    void loadEvents();
    for (const restarted of restarts) restarted();
  },
  figures({ figures, host }) {
    const changed = new Map(containers.value);
    for (const [id, latest] of Object.entries(figures)) {
      const known = changed.get(id);
      if (known !== undefined) changed.set(id, { ...known, figures: latest });
    }
    addFigures(figures);
    batch(() => {
      containers.value = changed;
      hostFigures.value = host;
    });
  },
  container: replace,
  forgotten({ id }) {
    const left = new Map(containers.value);
    left.delete(id);
    containers.value = left;
    removeSparkline(id);
  },
  event: (entry) => addEvents([entry]),
  alerts(data) {
    alerts.value = data.alerts;
  },
  lines(message) {
    for (const listener of listeners) listener(message);
  },
  daemon({ connected }) {
    isDaemonConnected.value = connected;
  },
};

/** The stream has ended: whether for want of a token, or because the agent is away, is asked. */
function handleConnectionLost(): void {
  isLive.value = false;
  source?.close();
  source = undefined;
  clearTimeout(retry);
  retry = setTimeout(
    () => {
      // One that hangs does not answer that either.
      fetchJson('/api/alerts', {}, AbortSignal.timeout(SILENCE_MS)).then(connect, () => {
        if (!needsToken.value) handleConnectionLost();
      });
    },
    failures++ === 0 ? 0 : RETRY_MS,
  );
}

export function connect(): void {
  clearTimeout(retry);
  source?.close();
  followed = wanted.join();
  const query = new URLSearchParams(wanted.map((id) => ['follow', id]));
  const opened = new EventSource(wanted.length === 0 ? '/api/stream' : `/api/stream?${query}`);
  source = opened;
  lastSignAt = Date.now();
  const heard = () => {
    lastSignAt = Date.now();
    lastMessageAt.value = lastSignAt;
  };
  opened.addEventListener('beat', () => {
    if (source === opened) heard();
  });
  for (const name of Object.keys(handlers) as MessageName[])
    opened.addEventListener(name, (message) => {
      if (source !== opened) return;
      heard();
      (handlers[name] as (data: unknown) => void)(JSON.parse(message.data));
    });
  opened.onerror = () => {
    if (source !== opened) return;
    handleConnectionLost();
  };
}

export type { LogEntry };
