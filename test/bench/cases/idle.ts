/** Measures the agent on an idle host. */
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnObserver, startContainers, withHost } from '../agent.ts';
import type { Bench, Figure } from '../bench.ts';
import { cpuMicros, end, megabytes } from '../process.ts';

const COUNTS = [20, 100];
const SETTLE_S = 60;
const WINDOW_S = 60;

export const bench: Bench = {
  title: 'Idle',
  about: `
The agent with its defaults on a host with sleeping containers: metrics every 10 s, logs followed, measured for
${WINDOW_S} s after ${SETTLE_S} s. Resident memory has two parts: touched pages of the Node executable, which all Node
processes of a host share, and the agent's own memory.`,
  run: (setting) =>
    withHost(async ({ dockerd, docker, receiver }) => {
      const rows: Figure[] = [];
      let started = 0;
      for (const count of COUNTS) {
        setting.say(`${count} containers`);
        await startContainers(docker, count, started);
        started = count;
        const agent = spawnObserver(setting, {
          endpoint: receiver.endpoint,
          dockerHost: dockerd.host,
          name: `idle-${count}`,
        });
        await sleep(SETTLE_S * 1000);
        const before = cpuMicros(agent.pid!);
        await sleep(WINDOW_S * 1000);
        const cpu = cpuMicros(agent.pid!) - before;
        const memory = (field: 'VmRSS' | 'RssAnon') => megabytes(agent.pid!, field);
        const what = (text: string) => `${count} containers: ${text}`;
        rows.push(
          {
            what: what('resident memory'),
            value: memory('VmRSS'),
            unit: 'MB',
            ...(count === 20 ? { target: { most: 80 } } : {}),
          },
          { what: what("the agent's own memory"), value: memory('RssAnon'), unit: 'MB' },
          {
            what: what('CPU, share of a core'),
            value: (100 * cpu) / (WINDOW_S * 1e6),
            unit: '%',
            ...(count === 100 ? { target: { most: 0.3 } } : {}),
          },
        );
        await end(agent);
      }
      return { rows };
    }),
};
