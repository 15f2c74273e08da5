/**
 * Faults of the receiver, the agent and its disk, under a steady load of numbered lines, events and metrics.
 * Nothing may be lost, and duplicates must have the same uid. `npm run test:faults` runs it for twenty
 * minutes and writes docs/reliability.md. In `npm test` each fault is short.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import type { Signal } from '../../config/destinations.ts';
import type { Status } from '../../exporters/shared/status.ts';
import { AgentProcess, listenUrl } from '../support/agent.ts';
import { IMAGE } from '../support/docker.ts';
import { type OwnDaemon, ownDaemon } from '../support/dockerd.ts';
import { type FaultName, FaultyReceiver, faults, makeCertificates } from '../support/faulty-receiver.ts';
import { Random } from '../support/random.ts';
import { type ReceivedLog, type ReceivedPoint, Receiver } from '../support/receiver.ts';
import { type CampaignResult, reliabilityPage } from '../support/reliability-page.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const isLong = process.env.PORTLIGHT_FAULTS === 'long';
const SEED = Number(process.env.PORTLIGHT_FAULTS_SEED ?? 1);
const FAULT_MS = isLong ? 8000 : 2000;
const CALM_MS = isLong ? 4000 : 1200;
const RANDOM_MS = isLong ? 600_000 : 12_000;
const KILLS = isLong ? 20 : 5;
const INTERVAL_MS = 1000;
const LONGEST_MS = isLong ? 40 * 60_000 : 300_000;
const MAX_RSS = 200 * 1024 * 1024;
/** Time to deliver everything that waits. A backoff is up to half a minute. */
const DRAIN_MS = 90_000;

const outcomes: CampaignResult[] = [];

/** Prints one number in each line, and continues from the last one after a restart. */
const COUNTING =
  'trap "exit 0" TERM; n=$(cat /n 2>/dev/null || echo 0); while :; do n=$((n+1)); echo "line $n"; echo $n > /n; sleep 0.02; done';

/** A steady load: lines, events and metrics of containers. */
class Load {
  private readonly docker: Docker;
  private readonly names: string[] = [];
  /** Ids of the short-lived containers. */
  readonly brief: string[] = [];
  private isOver = false;
  private creating: Promise<void> = Promise.resolve();

  constructor(docker: Docker) {
    this.docker = docker;
  }

  async start(): Promise<void> {
    for (const [name, driver] of [
      ['files', 'json-file'],
      ['api', 'local'],
    ] as const) {
      const container = await this.docker.createContainer({
        name,
        Image: IMAGE,
        Cmd: ['sh', '-c', COUNTING],
        HostConfig: { LogConfig: { Type: driver, Config: {} }, RestartPolicy: { Name: 'always' } },
      });
      await container.start();
      this.names.push(name);
    }
    this.creating = this.createBriefContainers();
  }

  /** Creates no more containers. */
  abort(): void {
    this.isOver = true;
  }

  /** Ends the load, and waits until the last container has ended. */
  async finish(): Promise<void> {
    this.abort();
    await this.creating;
    for (const name of this.names) await this.docker.getContainer(name).stop({ t: 5 });
  }

  /** The lines of a container's log, as the daemon has them. */
  async written(name: string): Promise<string[]> {
    const container = this.docker.getContainer(name);
    const { LogPath, HostConfig } = await container.inspect();
    if (HostConfig.LogConfig?.Type === 'json-file') {
      const entries = readFileSync(LogPath, 'utf8').trim().split('\n');
      return entries.map((entry) => (JSON.parse(entry) as { log: string }).log.trim());
    }
    const frames = (await container.logs({ stdout: true, stderr: true, follow: false })) as unknown as Buffer;
    const lines: string[] = [];
    for (let at = 0; at < frames.length; ) {
      const length = frames.readUInt32BE(at + 4);
      lines.push(frames.toString('utf8', at + 8, at + 8 + length).trim());
      at += 8 + length;
    }
    return lines;
  }

  private async createBriefContainers(): Promise<void> {
    for (let number = 0; !this.isOver; number++) {
      const name = `brief-${number}`;
      try {
        const container = await this.docker.createContainer({ name, Image: IMAGE, Cmd: ['true'] });
        await container.start();
        await container.wait();
        await container.remove();
        this.brief.push(container.id);
      } catch {
        // The daemon is restarting: whether this container ran is unknown.
      }
      await sleep(300);
    }
  }
}

interface CampaignOptions {
  readonly tls?: boolean;
  readonly dataDirectory?: string;
  readonly variables?: Record<string, string>;
}

/** An agent, a receiver that fails on command, and a load. */
class Campaign {
  readonly faultyReceiver: FaultyReceiver;
  readonly daemon: OwnDaemon;
  readonly load: Load;
  readonly dataDirectory: string;
  maxRss = 0;
  /** When no agent or no daemon ran, ms since the epoch. */
  readonly absences: { from: number; to: number }[] = [];
  private agent: AgentProcess | undefined;
  /** The logs of earlier agents. */
  private earlierStderr = '';
  private readonly t: ExecutionContext;
  private readonly variables: Record<string, string>;
  private watching: NodeJS.Timeout | undefined;

  private constructor(
    t: ExecutionContext,
    faultyReceiver: FaultyReceiver,
    daemon: OwnDaemon,
    dataDirectory: string,
    variables: Record<string, string>,
  ) {
    this.t = t;
    this.faultyReceiver = faultyReceiver;
    this.daemon = daemon;
    this.load = new Load(daemon.docker);
    this.dataDirectory = dataDirectory;
    this.variables = variables;
  }

  static async start(t: ExecutionContext, options: CampaignOptions = {}): Promise<Campaign> {
    const certificates = options.tls === true ? makeCertificates(temporaryDirectory(t)) : undefined;
    const faultyReceiver = await FaultyReceiver.start(certificates);
    t.teardown(() => faultyReceiver.stop());
    const campaign = new Campaign(
      t,
      faultyReceiver,
      await ownDaemon(t),
      options.dataDirectory ?? temporaryDirectory(t),
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: faultyReceiver.endpoint,
        OTEL_EXPORTER_OTLP_TIMEOUT: '1500',
        ...(certificates !== undefined && { OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca }),
        ...options.variables,
      },
    );
    t.teardown(() => campaign.load.abort());
    t.teardown(() => campaign.agent?.kill('SIGKILL'));
    t.teardown(() => clearInterval(campaign.watching));
    await campaign.startAgent();
    await campaign.load.start();
    return campaign;
  }

  async startAgent(): Promise<void> {
    const agent = new AgentProcess(
      [
        ['run', '--docker-host', this.daemon.host, '--data-dir', this.dataDirectory],
        ['--listen', '127.0.0.1:0', '--interval', `${INTERVAL_MS}ms`],
      ].flat(),
      this.variables,
      this.dataDirectory,
    );
    this.agent = agent;
    await listenUrl(agent);
    this.watching ??= setInterval(() => this.watch(), 200);
  }

  async killAgent(): Promise<void> {
    const from = Date.now();
    this.agent!.kill('SIGKILL');
    this.faultyReceiver.note('kill -9');
    this.earlierStderr += (await this.agent!.exit).stderr;
    await this.startAgent();
    const url = await listenUrl(this.agent!);
    await waitFor('the agent', async () => (await fetch(`${url}/readyz`)).ok, 60_000);
    this.absences.push({ from, to: Date.now() });
  }

  /** Acts while no agent runs. */
  async whileDown(act: () => void): Promise<void> {
    this.agent!.kill('SIGKILL');
    await this.agent!.exit;
    act();
    await this.startAgent();
  }

  async restartDaemon(): Promise<void> {
    const from = Date.now();
    await this.daemon.restart('SIGTERM');
    await sleep(1000);
    this.absences.push({ from, to: Date.now() });
  }

  async status(): Promise<Status> {
    return (await (await fetch(`${await listenUrl(this.agent!)}/status`)).json()) as Status;
  }

  get stderr(): string {
    return this.agent!.stderr;
  }

  /** The requests that the agents quarantined. */
  readQuarantine(): Receiver {
    const read = new (Receiver as unknown as new () => Receiver)();
    const directory = join(this.dataDirectory, 'spool/otlp/aside');
    for (const name of readdirSync(directory)) {
      const [, lane] = /\.(\w+)\.otlp$/.exec(name) ?? [];
      if (lane === undefined) continue;
      const signal = (lane === 'events' ? 'logs' : lane) as Signal;
      read.accept(signal, read.decode(signal, readFileSync(join(directory, name))));
    }
    return read;
  }

  /** Ends the load, and waits until everything is delivered. */
  async finish(): Promise<void> {
    await this.faultyReceiver.setFault(undefined);
    await this.load.finish();
    const { t } = this;
    await waitFor(
      'the spool to be empty',
      async () => {
        const { deliveries } = await this.status();
        const isEmpty = deliveries.every(
          ({ signal, waitingBytes }) => signal === 'metrics' || waitingBytes === 0,
        );
        return isEmpty && (await this.missing('files')).length === 0;
      },
      DRAIN_MS,
    ).catch(async (error) => t.fail(`${error}: ${JSON.stringify(await this.status())}`));
    // The API's last lines arrive a moment later. The last round of metrics has to be sent, too.
    await sleep(2000);
    clearInterval(this.watching);
    t.true(this.maxRss < MAX_RSS, `${this.maxRss} bytes of memory`);
  }

  private get all(): readonly Receiver[] {
    return [this.faultyReceiver.receiver, this.faultyReceiver.rejected, this.readQuarantine()];
  }

  /** Lines of a container that did not arrive. */
  async missing(name: string): Promise<string[]> {
    const bodies = new Set(
      this.logs()
        .filter(isLineOf(name))
        .map(({ body }) => body),
    );
    return (await this.load.written(name)).filter((line) => !bodies.has(line));
  }

  private logs(): ReceivedLog[] {
    return this.all.flatMap(({ logs }) => logs);
  }

  /** Gaps in the metrics of a container that ran all the time, except while agent or daemon were down. */
  gaps(): string[] {
    const points: ReceivedPoint[] = this.all.flatMap(({ points }) => points);
    const times = points
      .filter(
        ({ name, resource }) => name === 'container.memory.usage' && resource['container.name'] === 'files',
      )
      .map(({ time }) => Number(time / 1_000_000n))
      .sort((one, other) => one - other);
    this.t.true(times.length > 5);
    return times.flatMap((time, index) => {
      const before = times[index - 1] ?? time;
      const isExcused = this.absences.some(({ from, to }) => before < to + 3000 && time > from);
      return time - before > 3.5 * INTERVAL_MS && !isExcused ? [`${time - before} ms before ${time}`] : [];
    });
  }

  /** Checks that nothing was lost, and that duplicates have the same uid. @returns what arrived */
  async check(): Promise<Omit<CampaignResult, 'name' | 'seconds' | 'faults'>> {
    const { t } = this;
    const logs = this.logs();
    let lines = 0;
    let repeats = 0;
    for (const name of ['files', 'api']) {
      t.deepEqual((await this.missing(name)).slice(0, 10), [], `lines of ${name} that did not arrive`);
      const own = logs.filter(isLineOf(name));
      const written = await this.load.written(name);
      const uids = new Set(own.map(({ attributes }) => attributes['log.record.uid']));
      lines += written.length;
      repeats += own.length - written.length;
      t.is(uids.size, written.length, `${name}: duplicates have the same uid, other lines have others`);
    }
    const events = logs.filter(({ eventName }) => eventName.startsWith('docker.container.'));
    const eventUids = new Set<unknown>();
    const reported = new Map<unknown, string[]>();
    for (const { resource, eventName, attributes } of events) {
      const uid = attributes['log.record.uid'];
      if (eventUids.has(uid)) repeats++;
      else {
        const id = resource['container.id'];
        reported.set(id, [...(reported.get(id) ?? []), eventName.replace('docker.container.', '')]);
      }
      eventUids.add(uid);
    }
    for (const id of this.load.brief) {
      const actions = (reported.get(id) ?? []).filter((action) =>
        /^(create|start|die|destroy)$/.test(action),
      );
      const history = events
        .filter(({ resource }) => resource['container.id'] === id)
        .map(
          ({ time, attributes }) =>
            `${time} ${attributes['log.record.uid']} ${attributes['portlight.event.time'] ?? ''}`,
        );
      t.deepEqual(
        [...actions].sort(),
        ['create', 'destroy', 'die', 'start'],
        [
          `events of ${id}:`,
          ...history,
          'actions of the test:',
          ...this.faultyReceiver.journal,
          this.earlierStderr,
          this.stderr,
        ].join('\n'),
      );
    }
    t.deepEqual(this.gaps(), [], 'metrics');
    return {
      lines,
      events: eventUids.size,
      points: this.all.reduce((sum, { points }) => sum + points.length, 0),
      repeats,
      refused: this.readQuarantine().logs.length + this.faultyReceiver.rejected.logs.length,
      lost: 0,
      maxRss: this.maxRss,
    };
  }

  private watch(): void {
    try {
      const status = readFileSync(`/proc/${this.agent!.pid}/status`, 'utf8');
      this.maxRss = Math.max(this.maxRss, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // The agent is being killed.
    }
  }
}

const isLineOf =
  (container: string) =>
  ({ scope, resource }: ReceivedLog): boolean =>
    scope === 'portlight.logs' && resource['container.name'] === container;

test.serial(
  'nothing is lost under every fault of a receiver, random faults, and kills of the agent',
  async (t) => {
    t.timeout(LONGEST_MS);
    const started = Date.now();
    const campaign = await Campaign.start(t, { tls: true });
    const { faultyReceiver } = campaign;
    const recovery = new Map<FaultName, number>();
    const runFault = async (fault: FaultName, ms: number) => {
      await faultyReceiver.setFault(fault);
      await sleep(ms);
      await faultyReceiver.setFault(undefined);
      const over = Date.now();
      await waitFor(
        `the first request after the fault "${fault}"`,
        () => faultyReceiver.lastAcceptedAt > over,
        60_000,
      );
      recovery.set(fault, Math.max(recovery.get(fault) ?? 0, Date.now() - over));
    };
    await waitFor('the first request', () => faultyReceiver.lastAcceptedAt > 0, 60_000);
    for (const fault of faults) {
      await runFault(fault, FAULT_MS);
      await sleep(CALM_MS);
      t.true((faultyReceiver.requestsByFault.get(fault) ?? 0) > 0 || fault === 'refuses connections', fault);
    }
    const random = new Random(SEED);
    const kills = Array.from({ length: KILLS }, () => random.below(RANDOM_MS)).sort(
      (one, other) => one - other,
    );
    let daemons = isLong ? 2 : 0;
    for (const start = Date.now(); Date.now() - start < RANDOM_MS; ) {
      await runFault(faults[random.below(faults.length)]!, 200 + random.below(FAULT_MS));
      await sleep(random.below(CALM_MS));
      while (kills.length > 0 && Date.now() - start > kills[0]!) {
        kills.shift();
        // Kill during a fault as well as between faults.
        if (random.below(2) === 0) await faultyReceiver.setFault(faults[random.below(faults.length)]);
        await campaign.killAgent();
        await faultyReceiver.setFault(undefined);
      }
      if (daemons > 0 && Date.now() - start > RANDOM_MS / (daemons + 1)) {
        daemons--;
        await campaign.restartDaemon();
      }
    }
    for (; kills.length > 0; kills.pop()) await campaign.killAgent();
    await campaign.finish();
    const found = await campaign.check();
    outcomes.push({
      name: `every fault for ${FAULT_MS / 1000} s, then ${RANDOM_MS / 1000} s of random faults (seed ${SEED}) with ${KILLS} × kill -9${isLong ? ' and two restarts of the daemon' : ''}, over TLS`,
      seconds: (Date.now() - started) / 1000,
      ...found,
      faults: faults.map((fault) => ({
        name: fault,
        requests: faultyReceiver.requestsByFault.get(fault) ?? 0,
        recoveryMs: recovery.get(fault) ?? 0,
      })),
    });
    t.log(JSON.stringify(found));
  },
);

test.serial('with a full disk sources wait, nothing is lost, and delivery resumes by itself', async (t) => {
  t.timeout(LONGEST_MS);
  const started = Date.now();
  const dataDirectory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'portlight-test', dataDirectory]);
  t.teardown(() => execFileSync('umount', ['--lazy', dataDirectory]));
  const campaign = await Campaign.start(t, { dataDirectory });
  const { faultyReceiver } = campaign;
  await waitFor('the first request', () => faultyReceiver.lastAcceptedAt > 0, 60_000);
  await faultyReceiver.setFault('answers 503 with Retry-After');
  const LINES = 60_000;
  const flood = await campaign.daemon.docker.createContainer({
    name: 'flood',
    Image: IMAGE,
    Cmd: [
      'sh',
      '-c',
      `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "flood $i ${'x'.repeat(300)}"; done; sleep 600`,
    ],
  });
  await flood.start();
  await waitFor('the disk to be full', () => /ENOSPC|no space left/i.test(campaign.stderr), 60_000);
  await sleep(3000);
  await faultyReceiver.setFault(undefined);
  const numbersOf = () =>
    faultyReceiver.receiver.logs
      .filter(isLineOf('flood'))
      .map(({ body }) => Number(/^flood (\d+)/.exec(String(body))?.[1]));
  await waitFor('the last line', () => numbersOf().at(-1) === LINES, 120_000);
  const numbers = new Set(numbersOf());
  t.is(numbers.size, LINES);
  await campaign.finish();
  const { dropped } = (await campaign.status()).deliveries.find(({ signal }) => signal === 'logs')!;
  t.deepEqual(dropped, {}, 'no log is dropped for lack of space');
  const events = faultyReceiver.receiver.logs.filter(
    ({ eventName }) => eventName === 'docker.container.destroy',
  );
  t.true(campaign.load.brief.every((id) => events.some(({ resource }) => resource['container.id'] === id)));
  for (const name of ['files', 'api']) t.deepEqual(await campaign.missing(name), []);
  outcomes.push({
    name: 'a full disk (12 MiB) with the receiver unavailable and 20 MB of lines',
    seconds: (Date.now() - started) / 1000,
    lines: LINES,
    events: events.length,
    points: faultyReceiver.receiver.points.length,
    repeats: numbersOf().length - LINES,
    refused: 0,
    lost: 0,
    maxRss: campaign.maxRss,
    faults: [],
  });
});

test.serial('a flipped bit in the spool costs one batch, which is quarantined and counted', async (t) => {
  t.timeout(LONGEST_MS);
  const started = Date.now();
  const campaign = await Campaign.start(t);
  const { faultyReceiver } = campaign;
  await waitFor('the first request', () => faultyReceiver.lastAcceptedAt > 0, 60_000);
  await faultyReceiver.setFault('answers 503 with Retry-After');
  await sleep(4000);
  const lane = join(campaign.dataDirectory, 'spool/otlp/logs');
  await waitFor('files', () => readdirSync(lane).length > 0).catch((error) =>
    t.fail(`${error}: ${campaign.stderr}`),
  );
  // A running agent may have the batch in memory: it must be down while the bit flips.
  await campaign.whileDown(() => {
    const file = openSync(join(lane, readdirSync(lane).sort()[0]!), 'r+');
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, 2000);
    byte[0]! ^= 16;
    writeSync(file, byte, 0, 1, 2000);
    closeSync(file);
  });
  await faultyReceiver.setFault(undefined);
  await waitFor('the damage to be found', async () =>
    (await campaign.status()).deliveries.some(
      ({ signal, dropped }) => signal === 'logs' && dropped.damaged === 1,
    ),
  );
  await campaign.load.finish();
  await sleep(3000);
  const missing = [...(await campaign.missing('files')), ...(await campaign.missing('api'))];
  t.true(missing.length > 0 && missing.length < 100, `${missing.length} lines were in the batch`);
  const numbers = missing.map((line) => Number(line.slice(5)));
  t.is(numbers.at(-1)! - numbers[0]!, numbers.length - 1, 'from one batch');
  t.true(
    readdirSync(join(campaign.dataDirectory, 'spool/otlp/aside')).some((name) =>
      name.endsWith('.logs.damaged'),
    ),
  );
  const written = [...(await campaign.load.written('files')), ...(await campaign.load.written('api'))];
  outcomes.push({
    name: 'a flipped bit in the spool while the agent was down',
    seconds: (Date.now() - started) / 1000,
    lines: written.length,
    events: 0,
    points: faultyReceiver.receiver.points.length,
    repeats: 0,
    refused: 0,
    lost: missing.length,
    maxRss: campaign.maxRss,
    faults: [],
  });
});

test.serial('setting the clock an hour ahead and back loses and repeats nothing', async (t) => {
  t.timeout(LONGEST_MS);
  const started = Date.now();
  const clock = join(temporaryDirectory(t), 'clock');
  writeFileSync(clock, '+0');
  const library = execFileSync('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'], {
    encoding: 'utf8',
  });
  const campaign = await Campaign.start(t, {
    variables: {
      LD_PRELOAD: library.trim().split('\n')[0]!,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  });
  const { faultyReceiver } = campaign;
  await waitFor('the first request', () => faultyReceiver.lastAcceptedAt > 0, 60_000);
  for (const offset of ['+3600', '-3600', '+0']) {
    writeFileSync(clock, offset);
    await sleep(2000);
    await faultyReceiver.setFault('answers 503 with Retry-After');
    await sleep(1500);
    await faultyReceiver.setFault(undefined);
    await sleep(1500);
  }
  // The points have the times of the changed clock: gaps cannot be measured.
  campaign.absences.push({ from: 0, to: Number.MAX_SAFE_INTEGER });
  await campaign.finish();
  const hours = new Set(
    faultyReceiver.receiver.points.map(({ time }) =>
      Math.round((Number(time / 1_000_000n) - started) / 3_600_000),
    ),
  );
  t.deepEqual([...hours].sort(), [-1, 0, 1], 'the clock was set');
  const found = await campaign.check();
  outcomes.push({
    name: 'the clock set one hour ahead, two back and one ahead, with the receiver unavailable each time',
    seconds: (Date.now() - started) / 1000,
    ...found,
    faults: [],
  });
});

test.after(() => {
  if (!isLong || outcomes.length === 0) return;
  writeFileSync(join(import.meta.dirname, '../../docs/reliability.md'), reliabilityPage(outcomes));
});
