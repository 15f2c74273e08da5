/**
 * What a real daemon does at moments that no test can choose: answers that overtake events, and lines that are no
 * events. The daemon here is a script.
 */
import test, { type ExecutionContext } from 'ava';
import { DockerCollector } from '../../collectors/docker/index.ts';
import type { Container } from '../../collectors/records/records.ts';
import { iso, NEVER, ScriptedDaemon } from '../support/fake-daemon.ts';
import { storeOn } from '../support/store.ts';
import { waitFor } from '../support/wait.ts';

const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;

/** @param since up to when an earlier agent reported events */
async function observed(
  t: ExecutionContext,
  daemon: ScriptedDaemon,
  kept = new Map<string, string>(),
  { since, kernelKills = false }: { since?: bigint; kernelKills?: boolean } = {},
) {
  const reported: string[] = [];
  const ends: unknown[] = [];
  const faults: unknown[] = [];
  const saved: bigint[] = [];
  const nothing = () => {};
  const collector = new DockerCollector({
    docker: daemon.docker,
    surroundings: async () => ({}),
    host: () => ({ attributes: {} }),
    isWantedLabel: () => false,
    reportsObjects: true,
    selects: () => true,
    optionalAttributes: () => ({}),
    sink: {
      emitEvent: async ({ attributes }, { eventName, attributes: own }) => {
        if (!eventName.startsWith('docker.container.')) return;
        if (eventName.endsWith('.die')) ends.push(own['portlight.exit.reason']);
        const mark = own['portlight.event.synthesized'] === true ? '*' : '';
        reported.push(`${attributes['container.name']} ${eventName.replace('docker.container.', '')}${mark}`);
      },
      emitSpan: async () => {},
      openLog: () => undefined,
      reportError: (_, error) => void faults.push(error),
    },
    lifecycle: {
      containerStarting: nothing,
      containerStarted: nothing,
      containerChanged: nothing,
      containerStopped: async (_: Container) => {},
      containerRemoved: nothing,
    },
    position: { load: () => since, save: (time) => saved.push(time) },
    onVersion: nothing,
    onObjectChanged: nothing,
    onReconciled: nothing,
    store: storeOn(kept),
    evidence: {
      lastMomentsOf: () => ({}),
      oomReported: nothing,
      hasKernelKilled: () => kernelKills,
      isHostOutOfMemory: () => kernelKills,
    },
    redactCommand: undefined,
  });
  collector.start(nothing);
  t.teardown(() => collector.close());
  await waitFor('the inventory', () => collector.connected);
  return { reported, ends, faults, saved, collector };
}

/** Waits until missing events are concluded. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 2500));
const WITH_BASELINE = () => new Map([['told', 'yes']]);

test('a container created while the daemon lists containers is not reported as removed', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.whileListing = () => {
    daemon.whileListing = undefined;
    daemon.add('new', { startedAt: NEVER, pid: 0, status: 'created' });
    daemon.emitEvent('create', 'new', at(iso()));
  };
  const { reported, collector } = await observed(t, daemon, WITH_BASELINE());
  await settled();
  t.deepEqual(reported, ['new create']);
  t.true(collector.containers.has('new'));
});

test('a change that the daemon shows before its event is reported once, by the event', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const { reported } = await observed(t, daemon);
  const state = daemon.states.get('web')!;
  // Another agent finds it exited at start; the event is still on its way.
  Object.assign(state, { pid: 0, status: 'exited', finishedAt: iso(), exitCode: 3 });
  const second = await observed(t, daemon, WITH_BASELINE());
  daemon.emitEvent('die', 'web', at(iso()), { exitCode: '3' });
  await settled();
  t.deepEqual(reported, ['web die']);
  t.deepEqual(
    second.reported,
    ['web create*', 'web start*', 'web die'],
    'the second agent concludes what it never received',
  );
});

test('a run that ended and started without events is concluded, and later events are reported as sent', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const kept = new Map<string, string>();
  const first = await observed(t, daemon, kept);
  await first.collector.close();
  Object.assign(daemon.states.get('web')!, { startedAt: iso(-5000), finishedAt: iso(-6000) });
  const { reported } = await observed(t, daemon, kept);
  await waitFor('the conclusion', () => reported.length === 2);
  t.deepEqual(reported, ['web die*', 'web start*']);
  Object.assign(daemon.states.get('web')!, { pid: 0, status: 'exited', finishedAt: iso() });
  daemon.emitEvent('die', 'web', at(iso()), { exitCode: '3' });
  await waitFor('the end', () => reported.length === 3);
  await settled();
  t.deepEqual(reported, ['web die*', 'web start*', 'web die']);
});

test('the first agent saves its start time before it reports anything', async (t) => {
  const begun = BigInt(Date.now() - 1) * 1_000_000n;
  const { reported, saved } = await observed(t, new ScriptedDaemon());
  t.deepEqual(reported, []);
  t.true(saved[0]! >= begun && saved[0]! <= BigInt(Date.now() + 1) * 1_000_000n);
});

test('a comparison that the daemon does not answer in time is repeated', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const kept = new Map<string, string>();
  const first = await observed(t, daemon, kept);
  await first.collector.close();
  daemon.states.delete('web');
  const { reported, faults } = await observed(t, daemon, kept);
  daemon.failures = 1;
  await waitFor('the conclusion', () => reported.length === 2);
  t.deepEqual(reported, ['web die*', 'web destroy*']);
  t.is(faults.length, 1);
});

test('a container removed while it is inspected leaves nothing behind', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const kept = new Map<string, string>();
  const first = await observed(t, daemon, kept);
  await first.collector.close();
  daemon.whileDescribing = (id) => {
    daemon.whileDescribing = undefined;
    daemon.states.delete(id);
    daemon.emitEvent('destroy', id, at(iso()));
  };
  const { reported, collector, faults } = await observed(t, daemon, kept);
  await settled();
  t.deepEqual(reported, ['web die*', 'web destroy']);
  t.is(collector.containers.size, 0);
  t.deepEqual(faults, []);
});

test('lines that are no events are skipped and reported as errors', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const { reported, faults, collector } = await observed(t, daemon);
  for (const line of ['{}', 'null', '{"Type":"container","Action":"die"}', 'nonsense']) daemon.write(line);
  daemon.emitEvent('kill', 'web', at(iso()), { signal: '1' });
  await waitFor('the event after them', () => reported.length === 1);
  t.true(collector.connected);
  t.is(faults.length, 4);
});

/** An agent reported a run, and was away while the next run started. */
async function restartedUnseen(
  t: ExecutionContext,
  act: (daemon: ScriptedDaemon) => void,
): Promise<string[]> {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const kept = new Map<string, string>();
  const first = await observed(t, daemon, kept);
  await first.collector.close();
  Object.assign(daemon.states.get('web')!, { startedAt: iso(-5000), finishedAt: iso(-6000) });
  const { reported } = await observed(t, daemon, kept);
  act(daemon);
  await settled();
  return reported;
}

test('an event of an unreported run reports the start of that run first', async (t) => {
  const end = (daemon: ScriptedDaemon) => {
    const finishedAt = iso(-1);
    Object.assign(daemon.states.get('web')!, { pid: 0, status: 'exited', finishedAt, exitCode: 3 });
    daemon.emitEvent('die', 'web', at(iso()), { exitCode: '3' });
  };
  t.deepEqual(await restartedUnseen(t, end), ['web die*', 'web start*', 'web die']);
  const pause = (daemon: ScriptedDaemon) => {
    daemon.states.get('web')!.status = 'paused';
    daemon.emitEvent('pause', 'web', at(iso()));
  };
  t.deepEqual(await restartedUnseen(t, pause), ['web die*', 'web start*', 'web pause']);
});

test('missing events are concluded also of a container with constant other events', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web');
  const kept = new Map<string, string>();
  const first = await observed(t, daemon, kept);
  await first.collector.close();
  daemon.states.get('web')!.name = 'web2';
  const { reported } = await observed(t, daemon, kept);
  const timer = setInterval(() => daemon.emitEvent('top', 'web', at(iso())), 300);
  t.teardown(() => clearInterval(timer));
  await waitFor('the conclusion', () => reported.includes('web2 rename*'));
  t.is(reported.filter((event) => event === 'web2 rename*').length, 1);
});

test('the first agent reports what happens after its start, and nothing before', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('old', { startedAt: iso(-86_400_000) });
  daemon.add('done', {
    startedAt: iso(-86_400_000),
    finishedAt: iso(-80_000_000),
    pid: 0,
    status: 'exited',
    exitCode: 1,
  });
  daemon.whileListing = () => {
    daemon.whileListing = undefined;
    daemon.emitEvent('top', 'old', at(iso(1)));
    daemon.emitEvent('archive-path', 'done', at(iso(2)));
  };
  const { reported } = await observed(t, daemon);
  await settled();
  t.deepEqual(reported.sort(), ['done archive-path', 'old top']);
});

for (const kernelKills of [false, true]) {
  const late = kernelKills ? 'well after the exit' : 'right after the exit';
  test(`an OOM kill that the daemon reports ${late} explains the exit`, async (t) => {
    const daemon = new ScriptedDaemon();
    daemon.add('web', { memoryLimit: 1 << 24 });
    const { reported, ends } = await observed(t, daemon, WITH_BASELINE(), { kernelKills });
    await waitFor('the baseline', () => reported.length > 0);
    Object.assign(daemon.states.get('web')!, { pid: 0, status: 'exited', finishedAt: iso(), exitCode: 137 });
    daemon.emitEvent('die', 'web', at(iso()), { exitCode: '137' });
    await new Promise((resolve) => setTimeout(resolve, kernelKills ? 500 : 20));
    daemon.emitEvent('oom', 'web', at(iso()));
    await waitFor('both', () => reported.includes('web oom'));
    t.deepEqual(reported.slice(-2), ['web die', 'web oom']);
    t.deepEqual(ends, ['oom_killed']);
  });
}

test('an OOM kill reported after the next start explains the previous run only', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web', { memoryLimit: 1 << 24 });
  const { reported, ends } = await observed(t, daemon, WITH_BASELINE(), { kernelKills: true });
  await waitFor('the baseline', () => reported.length > 0);
  daemon.emitEvent('die', 'web', at(iso()), { exitCode: '137' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  daemon.states.get('web')!.startedAt = iso();
  daemon.emitEvent('start', 'web', at(iso()));
  await new Promise((resolve) => setTimeout(resolve, 300));
  daemon.emitEvent('oom', 'web', at(iso()));
  await waitFor('the kill', () => reported.includes('web oom'));
  t.deepEqual(reported.slice(-3), ['web die', 'web start', 'web oom']);
  daemon.emitEvent('die', 'web', at(iso()), { exitCode: '1' });
  await waitFor('both ends', () => ends.length === 2);
  t.deepEqual(ends, ['oom_killed', 'error']);
});

test('an OOM kill explains the exit of its own run, not the exit before', async (t) => {
  const daemon = new ScriptedDaemon();
  daemon.add('web', { memoryLimit: 1 << 24, startedAt: iso(-1000) });
  const begun = BigInt(Date.now() - 10_000) * 1_000_000n;
  const second = 1_000_000_000n;
  // All of it happened before the agent starts.
  daemon.emitEvent('die', 'web', begun, { exitCode: '137' });
  daemon.emitEvent('start', 'web', begun + second / 10n);
  daemon.emitEvent('oom', 'web', begun + second);
  daemon.emitEvent('die', 'web', begun + second + 1000n, { exitCode: '137' });
  const { ends } = await observed(t, daemon, WITH_BASELINE(), { since: begun - second });
  await waitFor('both ends', () => ends.length === 2);
  t.deepEqual(ends, ['signal', 'oom_killed']);
});

test('a container that the daemon was too slow to describe is observed some seconds later', async (t) => {
  const daemon = new ScriptedDaemon();
  const { reported, collector } = await observed(t, daemon, WITH_BASELINE());
  let failures = 2;
  daemon.whileDescribing = () => {
    if (failures-- > 0) throw new Error('no answer in time');
  };
  daemon.add('slow', { startedAt: iso() });
  daemon.emitEvent('create', 'slow', at(iso()));
  daemon.emitEvent('start', 'slow', at(iso()));
  await waitFor('the events', () => reported.length === 2);
  t.false(collector.containers.has('slow'));
  await waitFor('the description', () => collector.containers.has('slow'));
  t.deepEqual(reported, ['slow create', 'slow start']);
});
