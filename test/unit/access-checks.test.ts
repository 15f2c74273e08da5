/** Access checks: each failure is reported once, and does not hide another. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import { outcomesOf, privilegesPage, settings } from '../../agent/setup/privileges-page.ts';
import {
  AccessMonitor,
  accessChecks,
  accessContext,
  failedAccessChecks,
} from '../../agent/targets/access-checks.ts';
import { daemonRequests, findRequest, RefusedError } from '../../collectors/engine/requests.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { fakeContainer } from '../support/container.ts';

const context = accessContext('/proc', '/', new Set());

/** Its process has no cgroup with its id, and no Docker shim as parent. */
const foreign = (name: string) =>
  fakeContainer({ id: 'f'.repeat(64), name, pid: process.pid, logDriver: 'local' });

test('docs/privileges.md is up to date (npm run docs)', (t) => {
  t.is(readFileSync(join(import.meta.dirname, '../../docs/privileges.md'), 'utf8'), privilegesPage());
});

test('every failed check of a row exists and changes an outcome', (t) => {
  const names = accessChecks.map(({ name }) => name);
  for (const setting of Object.values(settings)) {
    for (const check of setting.failedChecks) {
      t.true(names.includes(check), check);
      t.notDeepEqual(
        outcomesOf({ name: '', failedChecks: [check] }),
        outcomesOf({ name: '', failedChecks: [] }),
        check,
      );
    }
  }
});

test('where a process is not visible, the checks that depend on it are not reported', (t) => {
  const [lack, ...others] = failedAccessChecks(foreign('a'), context);
  t.is(lack!.check.name, 'container processes');
  t.is(lack!.reason, `process ${process.pid} does not belong to the container`);
  t.deepEqual(others, []);
});

test('each failed check is reported once for all containers, and not for a container that has exited', async (t) => {
  const lines: string[] = [];
  const telemetry = new Telemetry(pino({}, { write: (line: string) => void lines.push(line) }));
  const watch = new AccessMonitor(context, telemetry);
  const ended = foreign('ended');
  watch.attachContainer(ended);
  ended.pid = 0;
  for (const name of ['a', 'b']) watch.attachContainer(foreign(name));
  while (lines.length === 0) await sleep(50);
  await sleep(100);
  watch.close();
  t.is(lines.length, 1);
  t.regex(
    lines[0]!,
    /Cannot read container processes of container a \(.*\): CPU, .*\. Requires the host's \/proc/,
  );
});

test('a refused request is logged once and counted each time', (t) => {
  const lines: string[] = [];
  const telemetry = new Telemetry(pino({}, { write: (line: string) => void lines.push(line) }));
  const volumes = daemonRequests.find(({ path }) => path === '/volumes')!;
  for (let index = 0; index < 3; index++) telemetry.reportError('objects', new RefusedError(volumes));
  t.is(lines.length, 1);
  t.regex(lines[0]!, /GET \/volumes is refused: no volumes/);
  t.is([...telemetry.counterSeries('portlight.collector.errors')][0]!.value, 3);
});

test('a request is recognised by its path', (t) => {
  t.is(findRequest('/containers/json?all=1')?.path, '/containers/json');
  t.is(findRequest('/containers/abc/json?')?.path, '/containers/{id}/json');
  t.is(findRequest('/images/team/app:1/json')?.path, '/images/{name}/json');
  t.is(findRequest('/containers/abc/archive?path=/etc'), undefined);
  t.is(findRequest('/networks/a/b'), undefined);
});
