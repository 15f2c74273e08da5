/** Logs of containers from a running agent: what it has in memory, and new lines. */
import type { Containers, LogEntry, Logs } from '../../../exporters/dashboard/api.ts';
import { type AgentClient, AgentRefusal } from './agent-client.ts';
import type { LogRange } from './daemon-logs.ts';
import type { DisplayLine } from './log-line.ts';

/** The API's limit of lines per request. */
const MAX_LINES = 10_000;

const lineOf = ({ time, severity, stream, text }: LogEntry, container: string): DisplayLine => {
  const seconds = Math.floor(time / 1000);
  return { container, seconds, nanos: Math.round((time - seconds * 1000) * 1e6), stream, text, severity };
};

/**
 * @param references names or ids
 * @param onGap called if older lines were requested than the agent has, with the time of its oldest (ms since the epoch)
 * @throws {Error} if a container does not exist, or the agent closes the connection
 */
export async function* readAgentLogs(
  agent: AgentClient,
  references: readonly string[],
  { since, tail }: LogRange,
  follow: boolean,
  signal: AbortSignal,
  onGap: (oldest: number) => void = () => {},
): AsyncGenerator<DisplayLine> {
  const { containers } = await agent.get<Containers>('/api/containers');
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  const line = (entry: LogEntry) => lineOf(entry, names.get(entry.container) ?? entry.container.slice(0, 12));
  // The stream is opened before past lines are read, so that none is missed in between.
  const stream = follow ? agent.stream(references, signal) : undefined;
  let message = await stream?.next();
  const seen = new Set<string>();
  for (const entry of await readPast(agent, references, since, tail, onGap)) {
    seen.add(entry.uid);
    yield line(entry);
  }
  if (stream === undefined) return;
  for (; message?.done === false; message = await stream.next().catch(() => undefined))
    if (message.value.kind === 'lines')
      for (const entry of message.value.data.lines) if (!seen.has(entry.uid)) yield line(entry);
  if (!signal.aborted) throw new Error(`the agent at ${agent.url} closed the connection`);
}

/** The last lines of all containers, by time. */
async function readPast(
  agent: AgentClient,
  references: readonly string[],
  since: number | undefined,
  tail: number | undefined,
  onGap: (oldest: number) => void,
): Promise<LogEntry[]> {
  const all = await Promise.all(
    references.map(async (id) => {
      try {
        return await agent.get<Logs>('/api/logs', {
          id,
          since,
          limit: Math.min(MAX_LINES, tail ?? MAX_LINES),
        });
      } catch (error) {
        if (error instanceof AgentRefusal && error.status === 404)
          throw new Error(`no such container: ${id}`);
        throw error;
      }
    }),
  );
  const gap = Math.max(
    ...all.map(({ lines, hasMore, oldest }) => (hasMore ? (lines[0]?.time ?? 0) : (oldest ?? 0))),
  );
  if (tail === undefined && gap > (since ?? 0)) onGap(gap);
  return all.flatMap(({ lines }) => lines).sort((a, b) => a.time - b.time);
}
