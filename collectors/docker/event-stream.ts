/** Reads GET /events: one JSON object a line, for as long as the daemon keeps the connection. */
import type Docker from 'dockerode';
import type { UnixNano } from '../../agent/records.ts';
import type { DockerEvent } from './event-record.ts';
import { formatSince } from './time.ts';

/** `timeNano` exceeds what a double holds: it is taken from the source text. A label can bear that name too. */
function reviveTime(key: string, value: unknown, context?: { source: string }): unknown {
  return key === 'timeNano' && typeof value === 'number' ? BigInt(context!.source) : value;
}

/** @throws {SyntaxError} when the line is not JSON */
export function parseEvent(line: string): DockerEvent {
  return JSON.parse(line, reviveTime as (key: string, value: unknown) => unknown);
}

/**
 * The daemon's events from `since` on; ends when the daemon closes the connection.
 * @param malformed told of each line that is no event; it is passed over
 * @throws when the daemon cannot be reached or the connection breaks
 */
export async function* readEvents(
  docker: Docker,
  since: UnixNano,
  signal: AbortSignal,
  malformed: (error: unknown) => void,
): AsyncGenerator<DockerEvent> {
  // The Engine API takes a decimal string; the type declarations know whole seconds only.
  const from = formatSince(since) as unknown as number;
  const stream: NodeJS.ReadableStream = await docker.getEvents({ since: from, abortSignal: signal });
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
