/** The logs of containers as the running agent has them: the last hour or so, and what is written. */
import type { Containers, LogEntry, Logs } from '../../../exporters/dashboard/api.ts';
import { type AgentClient, AgentRefusal } from './agent-client.ts';
import type { LogRange } from './daemon-logs.ts';
import type { DisplayLine } from './log-line.ts';

/** The most lines that it gives at a time. */
const LIMIT = 10_000;

const lineOf = ({ time, severity, stream, text }: LogEntry, container: string): DisplayLine => {
  const seconds = Math.floor(time / 1000);
  return { container, seconds, nanos: Math.round((time - seconds * 1000) * 1e6), stream, text, severity };
};

/**
 * @param wanted names or ids
 * @param onGap told since when lines are kept, where older ones were asked for (ms since the epoch)
 * @throws {Error} when there is no such container, or the agent closes the connection
 */
export async function* readAgentLogs(
  agent: AgentClient,
  wanted: readonly string[],
  { since, tail }: LogRange,
  follow: boolean,
  signal: AbortSignal,
  onGap: (oldest: number) => void = () => {},
): AsyncGenerator<DisplayLine> {
  const { containers } = await agent.get<Containers>('/api/containers');
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  const line = (entry: LogEntry) => lineOf(entry, names.get(entry.container) ?? entry.container.slice(0, 12));
  // The stream is there before the past is asked for: what is written in between is in both.
  const stream = follow ? agent.stream(wanted, signal) : undefined;
  let message = await stream?.next();
  const seen = new Set<string>();
  for (const entry of await readPast(agent, wanted, since, tail, onGap)) {
    seen.add(entry.uid);
    yield line(entry);
  }
  if (stream === undefined) return;
  for (; message?.done === false; message = await stream.next().catch(() => undefined))
    if (message.value.kind === 'lines')
      for (const entry of message.value.data.lines) if (!seen.has(entry.uid)) yield line(entry);
  if (!signal.aborted) throw new Error(`the agent at ${agent.url} has closed the connection`);
}

/** The last lines of each, by time. */
async function readPast(
  agent: AgentClient,
  wanted: readonly string[],
  since: number | undefined,
  tail: number | undefined,
  onGap: (oldest: number) => void,
): Promise<LogEntry[]> {
  const all = await Promise.all(
    wanted.map(async (id) => {
      try {
        return await agent.get<Logs>('/api/logs', { id, since, limit: Math.min(LIMIT, tail ?? LIMIT) });
      } catch (error) {
        if (error instanceof AgentRefusal && error.status === 404)
          throw new Error(`there is no container ${id}`);
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
