/** Measures the start of the agent, and its imports. */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnObserver, startContainers, withHost } from '../agent.ts';
import { type Bench, type Figure, quantile } from '../bench.ts';
import { end } from '../process.ts';

const COUNTS = [20, 100];
const RUNS = 5;

const IMPORT = `
const begun = performance.now();
await import(process.argv[1]);
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ wall: performance.now() - begun, cpu: (user + system) / 1000 }));
process.exit(0);`;

export interface ImportCost {
  /** ms */
  readonly wall: number;
  /** CPU time of the whole process, Node's start included, ms. */
  readonly cpu: number;
}

/** Time and CPU to import a module of the built agent, in a separate process. */
export function importOf(path: string): ImportCost {
  const runs = Array.from(
    { length: RUNS },
    () =>
      JSON.parse(
        execFileSync(process.execPath, ['--input-type=module', '--eval', IMPORT, path], { encoding: 'utf8' }),
      ) as ImportCost,
  );
  const median = (of: (cost: ImportCost) => number) => quantile(runs.map(of), 0.5);
  return { wall: median(({ wall }) => wall), cpu: median(({ cpu }) => cpu) };
}

function timed(command: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const runs = Array.from({ length: RUNS }, () => {
    const begun = performance.now();
    execFileSync(command, args, { env, stdio: 'ignore' });
    return performance.now() - begun;
  });
  return quantile(runs, 0.5);
}

export const bench: Bench = {
  title: 'Start-up',
  about: `
Time from the start of the process to the first request with metrics at the receiver, on a host with running containers;
median of ${RUNS} starts. The import of \`portlight run\` is compared with an empty Node program and with one that imports
the OpenTelemetry SDK for Node. \`ps\` shows the usage of 100 containers, compared with \`docker stats --no-stream\`, which
measures for two seconds.`,
  run: (setting) =>
    withHost(async ({ dockerd, docker, receiver }) => {
      const rows: Figure[] = [];
      let started = 0;
      for (const count of COUNTS) {
        await startContainers(docker, count, started);
        started = count;
        const times: number[] = [];
        for (let run = 0; run < RUNS; run++) {
          const before = (await receiver.counts()).requests.metrics ?? 0;
          const begun = performance.now();
          const agent = spawnObserver(setting, {
            endpoint: receiver.endpoint,
            dockerHost: dockerd.host,
            name: `startup-${count}`,
          });
          while (((await receiver.counts()).requests.metrics ?? 0) <= before) await sleep(5);
          times.push(performance.now() - begun);
          await end(agent);
        }
        rows.push({
          what: `start to first export, ${count} containers`,
          value: quantile(times, 0.5),
          unit: 'ms',
          target: { most: 1000 },
        });
      }
      const run = importOf(join(dirname(setting.cli), 'commands/run.js'));
      const nothing = importOf('node:path');
      const sdk = importOf('@opentelemetry/sdk-node');
      rows.push(
        { what: 'import of `portlight run`', value: run.wall, unit: 'ms', target: { most: 250 } },
        {
          what: 'CPU of a process that imports it',
          value: run.cpu,
          unit: 'ms',
          beside: { 'Node alone': nothing.cpu, 'sdk-node': sdk.cpu },
        },
      );
      const env = { PATH: process.env.PATH, DOCKER_HOST: dockerd.host };
      const dockerStats = ((): Record<string, number> => {
        try {
          return { 'docker stats': timed('docker', ['stats', '--no-stream'], env) };
        } catch {
          return {};
        }
      })();
      rows.push({
        what: '`portlight ps` with 100 containers',
        value: timed(setting.cli, ['ps'], env),
        unit: 'ms',
        beside: dockerStats,
      });
      return { rows };
    }),
};
