/** Reads GET /events: one JSON object per line, for as long as the daemon keeps the connection. */
import type Docker from 'dockerode';
import { formatSince } from '../engine/time.ts';
import type { DockerEvent } from '../lifecycle/docker-event.ts';
import type { UnixNano } from '../records/records.ts';

/** `timeNano` exceeds the precision of a double: it is read from the source text. A label can have that name too. */
function reviveTime(key: string, value: unknown, context?: { source: string }): unknown {
  return key === 'timeNano' && typeof value === 'number' ? BigInt(context!.source) : value;
}

/**
 * @param line one line of GET /events
 * @throws {SyntaxError} when the line is no event
 */
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
  if (!isEvent) throw new SyntaxError(`the daemon sent a line that is no event: ${line.slice(0, 200)}`);
  const given = Object.entries(Actor.Attributes ?? {});
  const Attributes = Object.fromEntries(given.filter(([, value]) => typeof value === 'string'));
  return { ...(event as DockerEvent), Actor: { ID: Actor.ID, Attributes } };
}

/** How long the daemon may take to begin its answer: after a start under load it can be slow. */
const ANSWER_MS = 10_000;
/** How long it may then take to send the events that it remembers. */
const PAST_MS = 3000;

/** Called with an error for each line that is no event. */
type OnMalformed = (error: unknown) => void;

async function* read(
  docker: Docker,
  range: { since: UnixNano; until?: UnixNano },
  signal: AbortSignal,
  onMalformed: OnMalformed,
  onAnswered?: () => void,
): AsyncGenerator<DockerEvent> {
  const { since, until } = range;
  // The Engine API accepts a decimal string. The type declarations know only whole seconds.
  const stream: NodeJS.ReadableStream = await docker.getEvents({
    since: formatSince(since) as unknown as number,
    ...(until === undefined ? {} : { until: formatSince(until) as unknown as number }),
    abortSignal: signal,
  });
  onAnswered?.();
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
        onMalformed(error);
        continue;
      }
      yield event;
    }
  }
}

/**
 * The daemon's events since `since`. It ends when the daemon closes the connection. Lines that are no events are
 * skipped.
 * @throws when the daemon cannot be reached or the connection breaks
 */
export const readEvents = (
  docker: Docker,
  since: UnixNano,
  signal: AbortSignal,
  onMalformed: OnMalformed,
): AsyncGenerator<DockerEvent> => read(docker, { since }, signal, onMalformed);

/** How many events the daemon remembers. */
const REMEMBERED = 256;

export interface RememberedEvents {
  readonly events: readonly DockerEvent[];
  /** Whether these are all: the daemon remembers a limited number, and can be late. */
  readonly isComplete: boolean;
}

/**
 * The events of a past time that the daemon remembers: at most its last 256.
 * @throws when the daemon cannot be reached
 */
export async function readRememberedEvents(
  docker: Docker,
  since: UnixNano,
  until: UnixNano,
  signal: AbortSignal,
  onMalformed: OnMalformed,
): Promise<RememberedEvents> {
  const timeout = new AbortController();
  let timer = setTimeout(() => timeout.abort(), ANSWER_MS);
  const onAnswered = () => {
    clearTimeout(timer);
    timer = setTimeout(() => timeout.abort(), PAST_MS);
  };
  const events: DockerEvent[] = [];
  try {
    const either = AbortSignal.any([signal, timeout.signal]);
    for await (const event of read(docker, { since, until }, either, onMalformed, onAnswered))
      events.push(event);
  } catch (error) {
    // A daemon that keeps the stream open has sent what it remembers.
    if (!timeout.signal.aborted) throw error;
    return { events, isComplete: false };
  } finally {
    clearTimeout(timer);
  }
  return { events, isComplete: events.length < REMEMBERED };
}
