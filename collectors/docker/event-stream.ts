/** Reads GET /events: one JSON object a line, for as long as the daemon keeps the connection. */
import type Docker from 'dockerode';
import type { UnixNano } from '../../agent/records.ts';
import type { DockerEvent } from './event-record.ts';
import { formatSince } from './time.ts';

/** `timeNano` exceeds what a double holds: it is taken from the source text. */
function reviveTime(key: string, value: unknown, context?: { source: string }): unknown {
  return key === 'timeNano' && context !== undefined ? BigInt(context.source) : value;
}

/** @throws {SyntaxError} when the line is not JSON */
export function parseEvent(line: string): DockerEvent {
  return JSON.parse(line, reviveTime as (key: string, value: unknown) => unknown);
}

/**
 * The daemon's events from `since` on; ends when the daemon closes the connection.
 * @param connected called once the daemon has accepted the subscription: events from then on are not missed
 * @throws when the daemon cannot be reached or the connection breaks
 */
export async function* readEvents(
  docker: Docker,
  since: UnixNano,
  signal: AbortSignal,
  connected: () => void,
): AsyncGenerator<DockerEvent> {
  // The Engine API takes a decimal string; the type declarations know whole seconds only.
  const from = formatSince(since) as unknown as number;
  const stream: NodeJS.ReadableStream = await docker.getEvents({ since: from, abortSignal: signal });
  connected();
  stream.setEncoding('utf8');
  let pending = '';
  for await (const chunk of stream) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop()!;
    for (const line of lines) if (line !== '') yield parseEvent(line);
  }
}
