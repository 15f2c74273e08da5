/** Reporting events without a daemon: tables, exit reasons, missed events, and what is kept. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { LastLines } from '../../agent/logs/last-lines.ts';
import { compileCommandRedaction } from '../../agent/logs/redact.ts';
import { LastEvents } from '../../agent/pipeline/last-events.ts';
import { eventsPage } from '../../agent/setup/events-page.ts';
import { parseEvent } from '../../collectors/docker/event-stream.ts';
import { listedReference } from '../../collectors/docker/objects/image-references.ts';
import { actionRow, actions, nameOfAction } from '../../collectors/lifecycle/actions.ts';
import { classifyEvent, type DockerEvent } from '../../collectors/lifecycle/docker-event.ts';
import { eventRecord, uidOf } from '../../collectors/lifecycle/event-record.ts';
import { PendingOomKills } from '../../collectors/lifecycle/exit-classifier.ts';
import { type ExitFacts, exitReason, signalName, signalOf } from '../../collectors/lifecycle/exit-reason.ts';
import { LifecycleReporter } from '../../collectors/lifecycle/lifecycle-reporter.ts';
import { impliedEvents, missedEvents } from '../../collectors/lifecycle/missed-events.ts';
import {
  formatReportedState,
  initialState,
  parseReportedState,
  type ReportedState,
  reportedStateOf,
} from '../../collectors/lifecycle/reported-state.ts';
import { capabilityNames, elevationReasons } from '../../collectors/namespaces/confinement.ts';
import { agentEvents } from '../../collectors/records/agent-events.ts';
import type { Container, EventRecord, Span } from '../../collectors/records/records.ts';
import { encodeEvent } from '../../exporters/otlp/wire/encode.ts';
import { Writer } from '../../exporters/otlp/wire/writer.ts';
import { fakeContainer } from '../support/container.ts';
import { storeOn } from '../support/store.ts';

const SECOND = 1_000_000_000n;

test('docs/events.md is generated from the tables (npm run docs)', (t) => {
  t.is(readFileSync(join(import.meta.dirname, '../../docs/events.md'), 'utf8'), eventsPage());
});

test('every action that Docker documents has a row, and refers to rows that exist', (t) => {
  // https://docs.docker.com/reference/cli/docker/system/events/
  const documented: Readonly<Record<string, string>> = {
    container:
      'attach commit copy create destroy detach die exec_create exec_detach exec_die exec_start export health_status.healthy health_status.unhealthy kill oom pause rename resize restart start stop top unpause update archive-path extract-to-dir prune',
    image: 'delete import load pull push save tag untag prune create',
    plugin: 'enable disable install remove',
    volume: 'create destroy mount unmount prune',
    network: 'create connect destroy disconnect remove prune update',
    daemon: 'reload',
    builder: 'prune',
    service: 'create remove update',
    node: 'create remove update',
    secret: 'create remove update',
    config: 'create remove update',
  };
  for (const [type, list] of Object.entries(documented)) {
    for (const action of list.split(' ')) t.not(actionRow(type, action).description, '', `${type} ${action}`);
  }
  for (const { type, since } of actions)
    for (const action of since) t.not(actionRow(type, action).description, '', `${type} ${action}`);
  const names = actions.map(({ type, action }) => `${type}.${action}`);
  t.is(new Set(names).size, names.length);
  t.is(nameOfAction('container', 'remove'), 'destroy');
  t.is(nameOfAction('container', 'exec_died'), 'exec_die');
  t.is(nameOfAction('service', 'remove'), 'remove');
});

const event = (
  Type: string,
  Action: string,
  Attributes: Record<string, string>,
  more: Partial<DockerEvent> = {},
) => classifyEvent({ Type, Action, Actor: { ID: 'c1', Attributes }, timeNano: 7n, ...more });

test('an unknown action is reported with the attributes that all events have', (t) => {
  const record = eventRecord(event('teapot', 'boil', { name: 'pot', secret: 'x' }));
  t.is(record.eventName, 'docker.teapot.boil');
  t.deepEqual(Object.keys(record.attributes), [
    'docker.event.type',
    'docker.event.action',
    'log.record.uid',
    'docker.actor.id',
    'docker.actor.name',
  ]);
});

test('an event has the same uid whenever it is reported, and different events have different ones', (t) => {
  const uids = [
    event('container', 'start', {}),
    event('container', 'start', {}, { timeNano: 8n }),
    event('container', 'die', {}),
    event('container', 'exec_start: a', { execID: 'e1' }),
    event('container', 'exec_start: a', { execID: 'e2' }),
    event('network', 'connect', { container: 'a'.repeat(64) }),
    event('network', 'connect', { container: 'b'.repeat(64) }),
    event('container', 'create', {}),
  ].map((one) => uidOf(one));
  t.is(new Set(uids).size, uids.length);
  const once = (timeNano: bigint) => uidOf(event('container', 'destroy', {}, { timeNano }));
  t.is(once(1n), once(2n), 'a container is destroyed once');
  const estimated = (timeNano: bigint) =>
    uidOf(event('container', 'die', {}, { timeNano, synthesized: 'estimated', after: 5n }));
  t.is(estimated(100n), estimated(200n), 'whenever the event is concluded');
  const reported = event('container', 'die', {}, { timeNano: 9n });
  const concluded = event('container', 'die', {}, { timeNano: 20n, synthesized: 'estimated', after: 5n });
  t.is(uidOf(reported, 3n), uidOf(concluded, 3n), 'a run ends once, reported or concluded');
  t.not(uidOf(reported, 3n), uidOf(reported, 12n));
});

const facts = (given: Partial<ExitFacts>): ExitFacts => ({
  time: 1000n * SECOND,
  exitCode: 0,
  signals: [],
  stopSignal: 'SIGTERM',
  oomAt: undefined,
  isLimited: false,
  isHostOutOfMemory: false,
  isDaemonAway: false,
  isUnseen: false,
  ...given,
});

test('exit reasons', (t) => {
  const at = 999n * SECOND;
  const cases: [Partial<ExitFacts>, string][] = [
    [{}, 'completed'],
    [{ exitCode: 1 }, 'error'],
    [{ exitCode: 139 }, 'signal'],
    [{ exitCode: 137 }, 'signal'],
    [{ exitCode: 137, isUnseen: true }, 'unknown'],
    [{ exitCode: 139, isUnseen: true }, 'signal'],
    [{ exitCode: 255, isUnseen: true }, 'unknown'],
    [{ exitCode: 255 }, 'error'],
    [{ exitCode: undefined }, 'unknown'],
    [{ exitCode: 143, signals: [{ signal: 'SIGTERM', at }] }, 'stopped'],
    [{ exitCode: 0, signals: [{ signal: 'SIGTERM', at }] }, 'stopped'],
    [{ exitCode: 0, stopSignal: 'SIGUSR1', signals: [{ signal: 'SIGUSR1', at }] }, 'stopped'],
    // A signal to reload the configuration ends nothing.
    [{ exitCode: 1, signals: [{ signal: 'SIGHUP', at }] }, 'error'],
    // A signal that it survived for a day is not the cause.
    [{ time: 100_000n * SECOND, exitCode: 1, signals: [{ signal: 'SIGTERM', at }] }, 'error'],
    [{ exitCode: 137, signals: [{ signal: 'SIGKILL', at }] }, 'killed'],
    [
      {
        exitCode: 137,
        signals: [
          { signal: 'SIGTERM', at },
          { signal: 'SIGKILL', at },
        ],
      },
      'killed_after_grace',
    ],
    [{ exitCode: 137, oomAt: at, isLimited: true }, 'oom_killed'],
    [{ exitCode: 137, oomAt: at }, 'oom_killed_by_host'],
    // A thread dump was requested; later the container crashed.
    [{ exitCode: 139, signals: [{ signal: 'SIGQUIT', at }] }, 'signal'],
    [{ exitCode: 139, signals: [{ signal: 'SIGTERM', at }] }, 'signal'],
    // An OOM kill an hour ago is not the cause.
    [{ exitCode: 137, oomAt: 1n, isLimited: true }, 'signal'],
    [{ exitCode: 0, oomAt: at, isLimited: true }, 'completed'],
    [{ exitCode: 137, signals: [{ signal: '', at }] }, 'killed'],
    [{ exitCode: 129, signals: [{ signal: 'SIGHUP', at }] }, 'killed'],
    [{ exitCode: 143, signals: [{ signal: '', at }] }, 'stopped'],
    // The OOM-killed process was a child; its parent exited.
    [{ exitCode: 1, oomAt: at, isLimited: true }, 'oom_killed'],
    // It survived the OOM kill, and was then killed on request.
    [{ exitCode: 137, oomAt: at, isLimited: true, signals: [{ signal: 'SIGKILL', at: at + 1n }] }, 'killed'],
    [{ exitCode: 137, isHostOutOfMemory: true }, 'oom_killed_by_host'],
    [{ exitCode: 1, isHostOutOfMemory: true }, 'error'],
    [{ exitCode: 0, isDaemonAway: true, signals: [{ signal: 'SIGTERM', at }] }, 'daemon_restart'],
    [{ exitCode: 3, isDaemonAway: true }, 'error'],
  ];
  for (const [given, reason] of cases)
    t.is(
      exitReason(facts(given)),
      reason as never,
      JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? `${v}` : v)),
    );
  t.is(signalOf(139), 'SIGSEGV');
  t.is(signalOf(128), undefined);
  for (const name of ['9', 'kill', 'SIGKILL']) t.is(signalName(name), 'SIGKILL');
});

const running = (more: Partial<Container> = {}): Container =>
  fakeContainer({ createdAt: 10n, startedAt: 20n, pid: 7, status: 'running', ...more });
const exited = (more: Partial<Container> = {}): Container =>
  running({ pid: 0, status: 'exited', finishedAt: 30n, ...more });
const shown = (events: readonly DockerEvent[]) =>
  events.map(({ Action, timeNano, synthesized }) => `${Action} ${timeNano} ${synthesized}`);

test('missed events are the difference between the reported state and what was found', (t) => {
  const missed = (state: ReportedState | undefined, found: Container | undefined) =>
    shown(missedEvents('c', state, found, 99n));
  const cases: [ReportedState | undefined, Container | undefined, string[]][] = [
    [reportedStateOf(running()), running(), []],
    [reportedStateOf(exited()), exited(), []],
    [undefined, running(), ['create 10 known', 'start 20 known']],
    [undefined, exited({ exitCode: 3 }), ['create 10 known', 'start 20 known', 'die 30 known']],
    [undefined, running({ startedAt: 0n, pid: 0, status: 'created' }), ['create 10 known']],
    [reportedStateOf(running()), exited(), ['die 30 known']],
    [reportedStateOf(running()), undefined, ['die 99 estimated', 'destroy 99 estimated']],
    [reportedStateOf(exited()), undefined, ['destroy 99 estimated']],
    [
      reportedStateOf(running()),
      running({ startedAt: 50n, finishedAt: 40n }),
      ['die 40 known', 'start 50 known'],
    ],
    // It exited twice: the daemon keeps only the second end.
    [
      reportedStateOf(running()),
      exited({ startedAt: 50n, finishedAt: 60n }),
      ['die 50 estimated', 'start 50 known', 'die 60 known'],
    ],
    [reportedStateOf(exited()), running({ startedAt: 50n, finishedAt: 30n }), ['start 50 known']],
    [reportedStateOf(running()), running({ name: 'other' }), ['rename 99 estimated']],
    [reportedStateOf(running()), running({ status: 'paused' }), ['pause 99 estimated']],
    [reportedStateOf(running({ status: 'paused' })), running(), ['unpause 99 estimated']],
    [reportedStateOf(running({ settings: 1 })), running({ settings: 2 }), ['update 99 estimated']],
    [
      reportedStateOf(running()),
      running({ health: 'healthy', healthAt: 25n }),
      ['health_status: healthy 25 known'],
    ],
    [reportedStateOf(running({ health: 'healthy' })), running({ health: 'starting' }), []],
  ];
  for (const [state, found, expected] of cases) t.deepEqual(missed(state, found), expected);
});

test('an event implies what must have happened before it', (t) => {
  const implied = (state: ReportedState | undefined, action: string, container = exited(), time = 30n) =>
    shown(impliedEvents(state, container, action, time));
  const created = reportedStateOf(running({ startedAt: 0n, pid: 0 }));
  t.deepEqual(implied(created, 'die'), ['start 20 known']);
  t.deepEqual(implied(undefined, 'die'), ['create 10 known', 'start 20 known']);
  t.deepEqual(implied(undefined, 'create'), []);
  t.deepEqual(implied(reportedStateOf(running()), 'die'), []);
  t.deepEqual(
    implied(reportedStateOf(running()), 'start', running({ startedAt: 50n, finishedAt: 40n }), 50n),
    ['die 40 known'],
  );
  t.deepEqual(implied(created, 'destroy', exited(), 40n), ['start 20 known', 'die 30 known']);
  t.deepEqual(implied(reportedStateOf(running()), 'destroy', running(), 40n), ['die 40 estimated']);
  t.deepEqual(implied(reportedStateOf(exited()), 'destroy', exited(), 40n), []);
  // The inspection can already show a later run.
  t.deepEqual(implied(created, 'die', exited({ startedAt: 40n }), 30n), ['start 30 estimated']);
});

test('the reported state survives being stored', (t) => {
  const state = reportedStateOf(
    running({ health: 'healthy', healthAt: 25n, attributes: { 'container.name': '5n' } } as never),
  );
  state.signals.push({ signal: 'SIGTERM', at: 1_795_498_983_000_000_001n });
  state.execs.e1 = { at: 3n, isCheck: false };
  t.deepEqual({ ...initialState(running()), ...parseReportedState(formatReportedState(state)) }, state);
  t.is(parseReportedState('{"name":'), undefined);
});

test('the stored text of earlier agents is read, and written with the same keys', (t) => {
  const text =
    '{"name":"web","resource":{"container.name":"web"},"status":"running","health":"healthy","settings":5,"startedAt":"\\u000020","last":"\\u000031","lastOfAny":"\\u000032","madeUp":{"action":"pause","time":"\\u000033"},"exit":"error","isEndConcluded":false,"at":{"create":"\\u000010","start":"\\u000020","health_status.healthy":"\\u000025"},"execs":{"e1":{"at":"\\u000030","isCheck":false}},"signals":[{"signal":"SIGTERM","at":"\\u00001795498983000000001"}],"oomAt":"\\u000034","crashes":["\\u000035"],"healthChanges":["\\u000036"],"patterns":{"portlight.container.restart_loop":"\\u000037"},"life":{"traceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","spanId":"bbbbbbbbbbbbbbbb"},"lifeSince":"\\u000038"}';
  const state = parseReportedState(text)!;
  t.deepEqual(state, {
    name: 'web',
    resource: { 'container.name': 'web' },
    status: 'running',
    health: 'healthy',
    settings: 5,
    startedAt: 20n,
    lastDaemonEventAt: 31n,
    lastEventAt: 32n,
    concluded: { action: 'pause', time: 33n },
    exit: 'error',
    isEndConcluded: false,
    lastTimes: { create: 10n, start: 20n, 'health_status.healthy': 25n },
    execs: { e1: { at: 30n, isCheck: false } },
    signals: [{ signal: 'SIGTERM', at: 1_795_498_983_000_000_001n }],
    oomAt: 34n,
    crashes: [35n],
    healthChanges: [36n],
    recurrences: { 'portlight.container.restart_loop': 37n },
    life: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) },
    lifeStart: 38n,
  });
  t.is(formatReportedState(state), text);
});

/** A reporter with all that it emitted, and a store that the next reporter can use. */
function reporterOf(kept = new Map<string, string>()) {
  const events: EventRecord[] = [];
  const spans: Span[] = [];
  const reporter = new LifecycleReporter({
    sink: {
      emitEvent: async (_, record) => void events.push(record),
      emitSpan: async (_, span) => void spans.push(span),
      openLog: () => undefined,
      reportError() {},
    },
    store: storeOn(kept),
    evidence: {
      lastMomentsOf: () => ({}),
      oomReported() {},
      hasKernelKilled: () => false,
      isHostOutOfMemory: () => false,
    },
    redactCommand: undefined,
  });
  const report = (action: string, seconds: number, attributes: Record<string, string> = {}) =>
    reporter.reportEvent(
      fakeContainer({ id: 'c', name: 'web', createdAt: 0n, startedAt: 0n }),
      event('container', action, attributes, {
        timeNano: BigInt(seconds) * SECOND,
        Actor: { ID: 'c', Attributes: attributes },
      }),
      false,
    );
  return { reporter, events, spans, kept, report };
}
const names = (events: readonly EventRecord[]) =>
  events.map(({ eventName }) => eventName.replace(/^docker\.container\./, ''));

test('three unrequested exits within ten minutes are a restart loop; requested ones are not', async (t) => {
  const { events, report } = reporterOf();
  await report('create', 1);
  for (let run = 0; run < 4; run++) {
    await report('start', 10 + run * 10);
    await report('die', 15 + run * 10, { exitCode: '1' });
  }
  const loop = agentEvents.restartLoop.name;
  t.is(names(events).filter((name) => name === loop).length, 1);
  t.is(
    names(events).indexOf(loop),
    names(events).lastIndexOf('start') + 1,
    'with the start after the third exit',
  );

  const calm = reporterOf();
  await calm.report('create', 1);
  for (let run = 0; run < 6; run++) {
    await calm.report('start', 10 + run * 10);
    await calm.report('kill', 14 + run * 10, { signal: '15' });
    await calm.report('die', 15 + run * 10, { exitCode: '143' });
  }
  t.false(names(calm.events).includes(loop));

  const slow = reporterOf();
  await slow.report('create', 1);
  for (let run = 0; run < 6; run++) {
    await slow.report('start', 10 + run * 400);
    await slow.report('die', 15 + run * 400, { exitCode: '1' });
  }
  t.false(names(slow.events).includes(loop), 'exits far apart are no loop');
});

test('a job that is run repeatedly is no restart loop; the first health of a run is no change', async (t) => {
  const { events, report } = reporterOf();
  await report('create', 1);
  for (let run = 0; run < 6; run++) {
    await report('start', 10 + run * 10);
    await report('health_status: healthy', 12 + run * 10);
    await report('die', 15 + run * 10, { exitCode: '0' });
  }
  t.false(names(events).some((name) => name.startsWith('portlight.')));
});

test('the latest removed containers are remembered, up to a limit', async (t) => {
  const { reporter, kept, events } = reporterOf();
  const act = (reporter: LifecycleReporter, id: string, action: string, seconds: number) =>
    reporter.reportEvent(
      fakeContainer({ id, name: id, createdAt: 0n, startedAt: 0n }),
      event(
        'container',
        action,
        {},
        { timeNano: BigInt(seconds) * SECOND, Actor: { ID: id, Attributes: {} } },
      ),
      false,
    );
  for (let index = 0; index < 1500; index++) {
    await act(reporter, `c${index}`, 'create', index + 1);
    await act(reporter, `c${index}`, 'destroy', index + 1);
  }
  t.is([...kept.keys()].filter((key) => key.startsWith('gone/')).length, 1024);
  const next = reporterOf(kept);
  await act(next.reporter, 'other', 'create', 2000);
  await act(next.reporter, 'other', 'destroy', 2000);
  const before = next.events.length;
  await act(next.reporter, 'c1499', 'destroy', 1500);
  t.is(next.events.length, before, 'the last one is remembered');
  t.is(events.length, 3000);
});

test('a start that the next agent receives again has the same uid, though its container is gone', async (t) => {
  const startedAt = 9n * SECOND;
  const described = fakeContainer({ id: 'c', name: 'web', createdAt: SECOND, startedAt, pid: 7 });
  const gone = fakeContainer({ id: 'c', name: 'web', createdAt: 0n, startedAt: 0n });
  const own = { Actor: { ID: 'c', Attributes: {} } };
  const uidsWith = async (container: typeof described) => {
    const { reporter, events, report } = reporterOf();
    await report('create', 1);
    const start = event('container', 'start', {}, { ...own, timeNano: startedAt + 5n });
    await reporter.reportEvent(container, start, false);
    const end = event('container', 'die', { exitCode: '1' }, { ...own, timeNano: 15n * SECOND });
    await reporter.reportEvent(container, end, false);
    t.deepEqual(names(events), ['create', 'start', 'die']);
    return events.map(({ attributes }) => attributes['log.record.uid']);
  };
  t.deepEqual(await uidsWith(gone), await uidsWith(described));
});

test("a creation is reported once, also if the daemon's event comes after the conclusion", async (t) => {
  const { reporter, events, report } = reporterOf();
  const found = fakeContainer({ id: 'c', name: 'web', createdAt: SECOND, startedAt: 2n * SECOND, pid: 7 });
  await reporter.reportConcluded(found, missedEvents('c', undefined, found, 9n * SECOND));
  await report('create', 1);
  t.deepEqual(names(events), ['create', 'start']);
});

test('a restarted agent keeps durations, and does not report again what the daemon repeats', async (t) => {
  const first = reporterOf();
  await first.report('create', 1);
  await first.report('start', 2);
  const second = reporterOf(first.kept);
  await second.report('start', 2);
  t.is(second.events.length, 0);
  await second.report('die', 5, { exitCode: '0' });
  t.is(second.events[0]!.attributes['docker.event.duration'], 3);
  t.deepEqual(
    second.spans.map(({ name, start, end }) => `${name} ${start / SECOND} ${end / SECOND}`),
    ['container.run 2 5', 'container 1 5'],
  );
  t.is(second.spans[1]!.context.traceId, first.spans[0]!.context.traceId, 'in the same trace');
  await second.report('destroy', 6);
  const third = reporterOf(second.kept);
  await third.report('die', 5, { exitCode: '0' });
  t.is(third.events.length, 0, 'nothing of one that is gone');
});

test("the health check's commands are no spans, and a label is no exec", async (t) => {
  const { spans, events, reporter } = reporterOf();
  const container = fakeContainer({
    id: 'c',
    createdAt: 0n,
    startedAt: 0n,
    healthCommand: '/bin/sh -c check',
  });
  const report = (action: string, seconds: number, attributes: Record<string, string>) =>
    reporter.reportEvent(
      container,
      event('container', action, attributes, { timeNano: BigInt(seconds) * SECOND }),
      false,
    );
  await report('create', 1, {});
  await report('start', 2, { execID: 'a label' });
  for (const [id, command] of [
    ['e1', '/bin/sh -c check'],
    ['e2', 'sh'],
  ] as const) {
    await report(`exec_create: ${command}`, 3, { execID: id });
    await report(`exec_start: ${command}`, 4, { execID: id });
    await report('exec_die', 6, { execID: id, exitCode: '0' });
  }
  t.deepEqual(
    spans
      .filter(({ name }) => name === 'container.exec')
      .map(({ attributes }) => attributes['docker.exec.id']),
    ['e2'],
  );
  t.is(events.filter(({ eventName }) => eventName.endsWith('exec_die')).length, 2);
  t.false(
    JSON.stringify(events, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).includes('check'),
    'commands are not exported by default',
  );
});

test('an image that arrived right before the creation begins the life', async (t) => {
  const { spans, reporter } = reporterOf();
  const pull = event(
    'image',
    'pull',
    { name: 'shop/web' },
    { Actor: { ID: 'shop/web:1', Attributes: {} }, timeNano: 5n * SECOND },
  );
  reporter.anticipateEvent(pull);
  const container = fakeContainer({ id: 'c', image: 'shop/web:1', createdAt: 0n, startedAt: 0n });
  const report = (action: string, seconds: number) =>
    reporter.reportEvent(
      container,
      event('container', action, {}, { timeNano: BigInt(seconds) * SECOND }),
      false,
    );
  await report('create', 8);
  await report('start', 9);
  await report('die', 20);
  t.deepEqual(
    spans.map(({ name, start, end }) => `${name} ${start / SECOND} ${end / SECOND}`),
    ['image.pull 5 5', 'container.start 8 9', 'container.run 9 20', 'container 5 20'],
  );
});

test('the last ten lines are kept as they were sent, in whatever batches', (t) => {
  const records = (...lines: string[]) => {
    const writer = new Writer(64);
    for (const body of lines)
      encodeEvent(writer, { eventName: '', time: 1n, severity: 9, body, attributes: {} }, 1n);
    return writer.bytes();
  };
  const kept = new LastLines();
  t.deepEqual(kept.linesSince('a', 0n), []);
  kept.addRecords('a', records('1', '2'));
  kept.addRecords('a', records('3'));
  t.deepEqual(kept.linesSince('a', 0n), ['1', '2', '3']);
  const many = Array.from({ length: 25 }, (_, index) => `line ${index}`);
  kept.addRecords('a', records(...many));
  t.deepEqual(kept.linesSince('a', 0n), many.slice(-10));
  kept.addRecords('a', records('last', 'very last'));
  t.deepEqual(kept.linesSince('a', 0n), [...many.slice(-8), 'last', 'very last']);
  const long = 'x'.repeat(3000);
  for (let index = 0; index < 5; index++) kept.addRecords('a', records(`${index} ${long}`));
  t.deepEqual(
    kept.linesSince('a', 0n).map((line) => line.slice(0, 2).trim()),
    ['3', '4'],
    'no more than there is room for',
  );
  t.true(
    kept.linesSince('a', 0n).every((line) => line.length === 1024),
    'each cut',
  );
  kept.addRecords('a', records(`huge ${'y'.repeat(100_000)}`));
  t.is(kept.linesSince('a', 0n).length, 1);
  t.is(kept.linesSince('a', 0n)[0]!.length, 1024);
  kept.addRecords('a', records('after'));
  t.deepEqual(
    kept.linesSince('a', 0n).map((line) => line.slice(0, 5)),
    ['huge ', 'after'],
  );
  kept.addRecords('a', records(`hole ${'z'.repeat(8000)}`, `${'w'.repeat(900)}`));
  t.deepEqual(
    kept.linesSince('a', 0n).map((line) => line[0]),
    ['w'],
    'nothing before what is missing',
  );
  t.deepEqual(kept.linesSince('a', 1n), [], 'of a later run');
  kept.forget('a');
  t.deepEqual(kept.linesSince('a', 0n), []);
});

test('a line that is no event throws', (t) => {
  for (const line of [
    '{}',
    'null',
    '5',
    '"x"',
    '{"Type":"container","Action":5,"Actor":{"ID":"c"},"timeNano":1}',
  ])
    t.throws(() => parseEvent(line), { instanceOf: SyntaxError }, line);
  const bare = parseEvent(
    '{"Type":"image","Action":"prune","Actor":{"ID":"","Attributes":null},"timeNano":1}',
  );
  t.deepEqual(bare.Actor.Attributes, {});
});

test('secrets in a command are redacted', (t) => {
  const redact = compileCommandRedaction(['email']);
  t.is(redact('mysql --password hunter2 -u root'), 'mysql --password [redacted] -u root');
  t.is(redact('login --api-key=abc --user me@example.com'), 'login --api-key=[redacted] --user [redacted]');
  t.is(redact('psql postgres://u:pw@db/x'), 'psql postgres://u:[redacted]@db/x');
  for (const secret of [
    'env AWS_SECRET_ACCESS_KEY=hunter2 aws',
    'env GITHUB_TOKEN=hunter2 gh',
    'env DB_PASS=hunter2 x',
    'mysql -phunter2',
    'mysqldump -u root -phunter2 shop',
    'curl -u admin:hunter2 http://x',
    'redis-cli -h x -a hunter2 ping',
    'docker login -u me -p hunter2',
  ])
    t.false(redact(secret).includes('hunter2'), redact(secret));
  for (const plain of ['cat /etc/hosts', 'mkdir -p /a/b', 'docker run -p 80:80 web', 'ls -a /tmp'])
    t.is(redact(plain), plain);
});

test('capabilities are read from their bits, and elevated access is detected', (t) => {
  t.deepEqual(capabilityNames('00000000a80425fb'), [
    ...[
      'CHOWN',
      'DAC_OVERRIDE',
      'FOWNER',
      'FSETID',
      'KILL',
      'SETGID',
      'SETUID',
      'SETPCAP',
      'NET_BIND_SERVICE',
    ],
    ...['NET_RAW', 'SYS_CHROOT', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP'],
  ]);
  t.is(capabilityNames('000001ffffffffff').length, 41);
  const confinement = {
    capabilities: [] as string[],
    seccomp: 'filter',
    apparmor: undefined,
    noNewPrivileges: false,
    readonlyRoot: false,
    uidMap: [],
  };
  const reasons = (container: Partial<Container>, capabilities: string[] = [], pid = false) =>
    elevationReasons(
      fakeContainer(container),
      { pid: { inode: 1, host: pid } },
      { ...confinement, capabilities },
    );
  const mount = (source: string, writable = true) => ({ mounts: [{ source, destination: '/x', writable }] });
  t.deepEqual(reasons({}), []);
  t.deepEqual(reasons({ privileged: true }, ['SYS_ADMIN']), ['privileged']);
  t.deepEqual(reasons({}, ['SYS_ADMIN', 'CHOWN']), ['cap_sys_admin']);
  t.deepEqual(reasons({}, [], true), ['host_pid']);
  t.deepEqual(elevationReasons(fakeContainer({ hostPid: true }), {}, confinement), ['host_pid']);
  t.deepEqual(reasons(mount('/run/docker.sock')), ['docker_socket']);
  t.deepEqual(reasons(mount('/var/run')), ['docker_socket']);
  t.deepEqual(reasons(mount('/home/docker.socket')), []);
  t.deepEqual(
    reasons({ mounts: [{ source: '/run/other', destination: '/var/run/docker.sock', writable: true }] }),
    ['docker_socket'],
  );
  t.deepEqual(reasons(mount('/')), ['host_root']);
  t.deepEqual(reasons(mount('/', false)), ['host_root']);
  t.deepEqual(reasons({ securityOptions: ['seccomp=unconfined'] }), ['seccomp_unconfined']);
});

test("a container's image reference is normalized as the daemon lists images", (t) => {
  t.is(listedReference('web'), 'web:latest');
  t.is(listedReference('docker.io/library/web'), 'web:latest');
  t.is(listedReference('docker.io/shop/web:2'), 'shop/web:2');
  t.is(listedReference('registry:5000/web'), 'registry:5000/web:latest');
  t.is(listedReference('registry:5000/web:2'), 'registry:5000/web:2');
  t.is(listedReference('web@sha256:abc'), undefined);
  t.is(listedReference('sha256:abc'), undefined);
});

test('a run ends once: a late event of the daemon is no second end', async (t) => {
  const { reporter, events, report } = reporterOf();
  await report('create', 1);
  await report('start', 2);
  const concluded = event(
    'container',
    'die',
    {},
    {
      timeNano: 5n * SECOND,
      Actor: { ID: 'c', Attributes: {} },
      synthesized: 'estimated',
      after: 2n * SECOND,
    },
  );
  await reporter.reportEvent(
    fakeContainer({ id: 'c', name: 'web', createdAt: 0n, startedAt: 0n }),
    concluded,
    false,
  );
  await report('die', 60, { exitCode: '1' });
  t.deepEqual(names(events), ['create', 'start', 'die']);
  await report('start', 70);
  await report('die', 80, { exitCode: '1' });
  t.deepEqual(names(events), ['create', 'start', 'die', 'start', 'die']);
});

test('last events are kept of containers that exist and of the latest removed ones', (t) => {
  const events = new LastEvents();
  const add = (id: string, action: string) =>
    events.add(
      { attributes: { 'container.id': id } },
      { eventName: `docker.container.${action}`, time: 0n, severity: 9, body: action, attributes: {} },
    );
  add('stays', 'start');
  for (let index = 0; index < 150; index++)
    for (const action of ['create', 'die', 'destroy']) add(`${index}`, action);
  t.is(events.linesOf('149').length, 3);
  t.is(events.linesOf('50').length, 3);
  t.deepEqual(events.linesOf('49'), []);
  t.is(events.linesOf('stays').length, 1);
});

test('an OOM kill belongs to its own run, however late it is reported, until it is consumed', async (t) => {
  const kills = new PendingOomKills();
  kills.recordStart('a', 10n);
  kills.recordKill('a', 15n);
  t.is(kills.lastKillIn('a', 10n, 20n), 15n);
  t.is(kills.lastKillIn('a', 10n, 12n), 12n, 'reported later than the exit');
  t.is(kills.lastKillIn('a', 1n, 9n), undefined, 'not of a later run');
  t.is(kills.lastKillIn('a', 30n, 40n), undefined, 'not of an earlier run');
  t.is(kills.lastKillIn('b', 10n, 20n), undefined);
  kills.recordStart('a', 30n);
  kills.recordKill('a', 31n);
  t.is(kills.lastKillIn('a', 10n, 20n), 15n, 'each is kept');
  t.is(kills.lastKillIn('a', 30n, 40n), 31n);
  t.false(kills.consumeKill('a', 15n));
  t.is(kills.lastKillIn('a', 10n, 20n), undefined);
  t.false(kills.consumeKill('a', 31n));
  t.is(kills.lastKillIn('a', 30n, 40n), undefined);
});

test('an exit that waits for an OOM kill gets the next one, even after the next start', async (t) => {
  const kills = new PendingOomKills();
  kills.recordStart('a', 10n);
  const kill = kills.waitForKill('a', 60_000);
  kills.recordStart('a', 21n);
  kills.recordKill('a', 22n);
  kills.recordKill('a', 23n);
  t.is(await kill, 22n);
  t.true(kills.consumeKill('a', 22n));
  t.false(kills.consumeKill('a', 23n));
  t.is(await kills.waitForKill('a', 1), undefined);
  kills.recordKill('a', 24n);
  t.false(kills.consumeKill('a', 24n));
});
