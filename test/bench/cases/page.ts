/** Measures what open dashboard pages cost the agent. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnObserver } from '../agent.ts';
import type { Bench, Figure } from '../bench.ts';
import { withCgroups } from '../cgroups.ts';
import { cpuMicros, end } from '../process.ts';
import { startReceiver } from '../receiver.ts';

const CONTAINERS = 300;
const LOOKERS = [1, 10];
const PORT = 19_797;
const INTERVAL_S = 1;
const SETTLE_S = 60;
const WINDOW_S = 30;

const url = (path: string) => `http://127.0.0.1:${PORT}${path}`;

/** Follows the event stream, as the page does. */
function stream(onBytes: (count: number) => void): () => void {
  const asked = request(url('/api/stream'), (response) =>
    response.on('data', (chunk: Buffer) => onBytes(chunk.length)).on('error', () => {}),
  );
  asked.on('error', () => {}).end();
  return () => void asked.destroy();
}

/** Polls the whole list once an interval, as a page without a stream would. */
function poll(onBytes: (count: number) => void): () => void {
  const timer = setInterval(() => {
    fetch(url('/api/containers'))
      .then((response) => response.arrayBuffer())
      .then(({ byteLength }) => onBytes(byteLength))
      .catch(() => {});
  }, INTERVAL_S * 1000);
  return () => clearInterval(timer);
}

export const bench: Bench = {
  title: 'The page',
  about: `
What open dashboard pages cost the agent with ${CONTAINERS} cgroups and metrics every ${INTERVAL_S} s. Pages receive changes
through a stream. The comparison is with clients that poll the list of containers once a round, and with the same agent
before and after, without any page.`,
  run: (setting) =>
    withCgroups(CONTAINERS, async () => {
      const receiver = await startReceiver();
      const agent = spawnObserver(setting, {
        endpoint: receiver.endpoint,
        dockerHost: 'none',
        interval: `${INTERVAL_S}s`,
        name: 'page',
        args: ['--listen', `127.0.0.1:${PORT}`],
      });
      try {
        await sleep(SETTLE_S * 1000);
        /** CPU of a round, ms, and bytes sent to all pages in it. */
        const measure = async (lookers: readonly (typeof stream)[]) => {
          let bytes = 0;
          const stops = lookers.map((look) => look((count) => (bytes += count)));
          await sleep(2000);
          bytes = 0;
          const before = cpuMicros(agent.pid!);
          await sleep(WINDOW_S * 1000);
          const cpu = cpuMicros(agent.pid!) - before;
          for (const stop of stops) stop();
          const rounds = WINDOW_S / INTERVAL_S;
          return { cpu: cpu / 1000 / rounds, bytes: bytes / rounds };
        };
        const rows: Figure[] = [];
        for (const count of LOOKERS) {
          setting.say(`${count} looking`);
          const before = await measure([]);
          const streamed = await measure(Array.from({ length: count }, () => stream));
          const polled = await measure(Array.from({ length: count }, () => poll));
          const after = await measure([]);
          const pages = count === 1 ? 'one page' : `${count} pages`;
          rows.push(
            {
              what: `${pages}: CPU of a round`,
              value: streamed.cpu,
              unit: 'ms',
              beside: { polling: polled.cpu, 'no page': (before.cpu + after.cpu) / 2 },
            },
            {
              what: `${pages}: sent in a round`,
              value: streamed.bytes / 1000,
              unit: 'kB',
              beside: { polling: polled.bytes / 1000 },
            },
          );
        }
        return { rows };
      } finally {
        await end(agent);
        receiver.stop();
      }
    }),
};
