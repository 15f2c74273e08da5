/** `portlight events`: events of containers, images, volumes and networks. */
import type { Command } from 'commander';
import { isNoDaemon } from '../../collectors/engine/daemon-endpoint.ts';
import type { Config } from '../../config/schema.ts';
import { createPaint } from '../../exporters/console/colours.ts';
import type {
  Agent,
  ContainerSummary,
  Containers,
  EventEntry,
  Events,
} from '../../exporters/dashboard/api.ts';
import { mainEndpoint } from '../targets/endpoints.ts';
import { eventLine } from '../views/terminal/event-line.ts';
import { type AgentClient, findAgent } from '../views/watch/agent-client.ts';
import { DaemonSource } from '../views/watch/daemon-source.ts';
import { loadCommandConfig } from './config-flags.ts';
import { parseSince } from './parse-since.ts';
import { withProgress } from './progress.ts';

export interface EventsOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly output: string;
}

/** More than an agent keeps. */
const LIMIT = 100_000;

type NamedContainer = Pick<ContainerSummary, 'id' | 'name'>;

/** Whether a reference is the container's name or a prefix of its id. */
const matchesName = ({ id, name }: NamedContainer, reference: string): boolean =>
  name === reference || (/^[0-9a-f]{4,64}$/.test(reference) && id.startsWith(reference));

function eventFilter(names: readonly string[]): (event: EventEntry) => boolean {
  if (names.length === 0) return () => true;
  return ({ container }) => container !== null && names.some((name) => matchesName(container, name));
}

/** @throws {Error} if a container neither exists nor has events */
function requireContainers(
  names: readonly string[],
  containers: Iterable<NamedContainer>,
  events: readonly EventEntry[],
): void {
  const all = [...containers, ...events.flatMap(({ container }) => container ?? [])];
  for (const name of names)
    if (!all.some((known) => matchesName(known, name))) throw new Error(`no such container: ${name}`);
}

interface EventQuery {
  readonly names: readonly string[];
  /** ms since the epoch; undefined for all. */
  readonly since: number | undefined;
  readonly follow: boolean;
  readonly print: (event: EventEntry) => void;
}

/** Events before the start of the agent, from the daemon. */
async function eventsBeforeAgent(config: Config, since: number, until: number): Promise<EventEntry[]> {
  if (isNoDaemon(mainEndpoint(config))) return [];
  const source = new DaemonSource(config, { since });
  try {
    await withProgress(
      () => `reading events from the ${source.origin}`,
      source.start(() => {}),
    );
    return source.state.events.filter(({ time }) => time < until);
  } catch {
    // Without access to the daemon, the events of the agent are all there is.
    return [];
  } finally {
    await source.close();
  }
}

/** Identifies an event that both daemon and agent report. */
const keyOf = ({ time, name, container }: EventEntry): string => `${time} ${name} ${container?.id}`;

async function fromAgent(
  client: AgentClient,
  config: Config,
  { names, since, follow, print }: EventQuery,
): Promise<void> {
  // Opened before past events are read, so that none is missed in between.
  const stream = follow ? client.stream([], new AbortController().signal) : undefined;
  const first = await stream?.next();
  const [{ status }, { containers }, { events: agentEvents }] = await Promise.all([
    client.get<Agent>('/api/agent'),
    client.get<Containers>('/api/containers'),
    client.get<Events>('/api/events', { since, limit: LIMIT, exec: 'true' }),
  ]);
  const startedAt = Date.parse(status.since);
  const known = new Set(agentEvents.map(keyOf));
  const earlier = (since ?? 0) < startedAt ? await eventsBeforeAgent(config, since ?? 0, startedAt) : [];
  const all = [...earlier.filter((event) => !known.has(keyOf(event))), ...agentEvents];
  requireContainers(names, containers, all);
  all.sort((a, b) => a.time - b.time).forEach(print);
  if (stream === undefined) return;
  let last = agentEvents.at(-1)?.sequence ?? 0;
  const next = () => stream.next().catch(() => undefined);
  for (let message = first; message?.done === false; message = await next()) {
    if (message.value.kind !== 'event' || message.value.data.sequence <= last) continue;
    last = message.value.data.sequence;
    print(message.value.data);
  }
  throw new Error(`the agent at ${client.url} closed the connection`);
}

async function fromDaemon(config: Config, { names, since, follow, print }: EventQuery): Promise<void> {
  let isPast = true;
  const source = new DaemonSource(config, {
    since: since ?? 0,
    onEvent: (event) => {
      if (!isPast) print(event);
    },
  });
  await withProgress(
    () => `reading events from the ${source.origin}`,
    source.start(() => {}),
  );
  requireContainers(names, source.state.containers.values(), source.state.events);
  source.state.events.forEach(print);
  isPast = false;
  if (!follow) await source.close();
}

export async function printEvents(
  names: readonly string[],
  options: EventsOptions,
  command: Command,
): Promise<void> {
  const since = parseSince(options.since);
  const { config } = await loadCommandConfig(command);
  const paint = createPaint(process.stdout);
  const isWanted = eventFilter(names);
  const print = (event: EventEntry) => {
    if (!isWanted(event)) return;
    const text = options.output === 'json' ? JSON.stringify(toJson(event)) : eventLine(event, paint);
    process.stdout.write(`${text}\n`);
  };
  // The reader of a pipe has closed it (`| head`).
  process.stdout.on('error', () => process.exit());
  const query = { names, since, follow: options.follow ?? false, print };
  const client = await findAgent(config);
  if (client !== undefined) await fromAgent(client, config, query);
  else await fromDaemon(config, query);
}

/** The JSON form of an event. */
const toJson = ({ time, name, severity, body, container, attributes }: EventEntry) => ({
  time: new Date(time).toISOString(),
  name,
  severity,
  body,
  container,
  attributes,
});
