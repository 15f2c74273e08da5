/** The state of the page, kept up to date by the agent's event stream. */
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
/** The agent sends a heartbeat every 15 s: without data for this long, the connection is lost. */
const SILENCE_MS = 2.5 * 15_000;
/** Delay before changes of the followed containers are applied: each change reopens the stream. */
const SETTLE_MS = 50;

export const containers = signal<ReadonlyMap<string, ContainerSummary>>(new Map());
export const alerts = signal<readonly AlertEntry[]>([]);
export const hostFigures = signal<HostFigures | null>(null);
export const about = signal({ version: '', host: '', interval: 10_000 });
/** When the last message arrived, by the browser's clock; 0 before the first. */
export const lastMessageAt = signal(0);
export const isLive = signal(false);
export const isDaemonConnected = signal(true);
/** The current time, updated every second. */
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
/** Called with new lines of followed containers. */
const listeners = new Set<LinesListener>();
/** Called after the stream was reopened: lines in between were missed. */
const restarts = new Set<() => void>();

/** The open stream; undefined if there is none. */
let source: EventSource | undefined;
/** When the stream was opened, or its last message arrived. */
let lastSignAt = 0;
/** Containers to follow, and those that the open stream follows. */
let requested: readonly string[] = [];
let followed = '';
let settling: ReturnType<typeof setTimeout> | undefined;
/** Number of consecutive failures to open the stream. */
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Follows the log lines of containers. @returns a function that stops following */
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
    if (requested === ids) setFollowed([]);
  };
}

function setFollowed(ids: readonly string[]): void {
  requested = ids;
  clearTimeout(settling);
  settling = setTimeout(() => {
    if (requested.join() !== followed) connect();
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

/** Heartbeats have no handler. */
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

/** Reopens the stream once the agent answers. A request shows whether a token is required. */
function handleConnectionLost(): void {
  isLive.value = false;
  source?.close();
  source = undefined;
  clearTimeout(retry);
  retry = setTimeout(
    () => {
      // An agent that hangs does not answer this request either.
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
  followed = requested.join();
  const query = new URLSearchParams(requested.map((id) => ['follow', id]));
  const opened = new EventSource(requested.length === 0 ? '/api/stream' : `/api/stream?${query}`);
  source = opened;
  lastSignAt = Date.now();
  const markAlive = () => {
    lastSignAt = Date.now();
    lastMessageAt.value = lastSignAt;
  };
  opened.addEventListener('beat', () => {
    if (source === opened) markAlive();
  });
  for (const name of Object.keys(handlers) as MessageName[])
    opened.addEventListener(name, (message) => {
      if (source !== opened) return;
      markAlive();
      (handlers[name] as (data: unknown) => void)(JSON.parse(message.data));
    });
  opened.onerror = () => {
    if (source !== opened) return;
    handleConnectionLost();
  };
}

export type { LogEntry };
