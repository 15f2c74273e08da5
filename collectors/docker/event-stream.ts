/** Reads GET /events: one JSON object a line, for as long as the daemon keeps the connection. */
import type Docker from 'dockerode';
import { formatSince } from '../engine/time.ts';
import type { DockerEvent } from '../lifecycle/docker-event.ts';
import type { UnixNano } from '../records/records.ts';

/** `timeNano` exceeds what a double holds: it is taken from the source text. A label can bear that name too. */
function reviveTime(key: string, value: unknown, context?: { source: string }): unknown {
  return key === 'timeNano' && typeof value === 'number' ? BigInt(context!.source) : value;
}

/** @throws {SyntaxError} when the line is no event */
export function parseEvent(line: string): DockerEvent {
  const event = JSON.parse(
    line,
    reviveTime as (key: string, value: unknown) => unknown,
  ) as Partial<DockerEvent> | null;
  const { Type, Action, Actor, timeNano } = event ?? {};
  const isEvent =
    typeof Type === 'string' &&
    typeof Action === 'string' &&
    typeof Actor?.ID === 'string' &&
    typeof timeNano === 'bigint';
  if (!isEvent) throw new SyntaxError(`the daemon sent what is no event: ${line.slice(0, 200)}`);
  const given = Object.entries(Actor.Attributes ?? {});
  const Attributes = Object.fromEntries(given.filter(([, value]) => typeof value === 'string'));
  return { ...(event as DockerEvent), Actor: { ID: Actor.ID, Attributes } };
}

/** How long the daemon may take to tell what it remembers. */
const PAST_MS = 3000;

type Malformed = (error: unknown) => void;

async function* read(
  docker: Docker,
  range: { since: UnixNano; until?: UnixNano },
  signal: AbortSignal,
  malformed: Malformed,
): AsyncGenerator<DockerEvent> {
  const { since, until } = range;
  // The Engine API takes a decimal string; the type declarations know whole seconds only.
  const stream: NodeJS.ReadableStream = await docker.getEvents({
    since: formatSince(since) as unknown as number,
    ...(until === undefined ? {} : { until: formatSince(until) as unknown as number }),
    abortSignal: signal,
  });
  stream.setEncoding('utf8');
  let pending = '';
  for await (const chunk of stream) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop()!;
    for (const line of lines) {
      if (line === '') continue;
      let event: DockerEvent;
      try {
        event = parseEvent(line);
      } catch (error) {
        malformed(error);
        continue;
      }
      yield event;
    }
  }
}

/**
 * The daemon's events from `since` on; ends when the daemon closes the connection.
 * @param malformed told of each line that is no event; it is passed over
 * @throws when the daemon cannot be reached or the connection breaks
 */
export const readEvents = (
  docker: Docker,
  since: UnixNano,
  signal: AbortSignal,
  malformed: Malformed,
): AsyncGenerator<DockerEvent> => read(docker, { since }, signal, malformed);

/** How many events the daemon remembers. */
const REMEMBERED = 256;

export interface Past {
  readonly events: readonly DockerEvent[];
  /** Whether there was nothing else: the daemon remembers no more than so many, and can be late. */
  readonly isComplete: boolean;
}

/**
 * What the daemon remembers of a time that has passed: its last 256 events at most.
 * @throws when the daemon cannot be reached
 */
export async function pastEvents(
  docker: Docker,
  since: UnixNano,
  until: UnixNano,
  signal: AbortSignal,
  malformed: Malformed,
): Promise<Past> {
  const timeout = AbortSignal.timeout(PAST_MS);
  const events: DockerEvent[] = [];
  try {
    for await (const event of read(docker, { since, until }, AbortSignal.any([signal, timeout]), malformed))
      events.push(event);
  } catch (error) {
    // One that goes on listening all the same has told what it has.
    if (!timeout.aborted) throw error;
    return { events, isComplete: false };
  }
  return { events, isComplete: events.length < REMEMBERED };
}
