/**
 * The daemon: its containers and its events. What it sees decides which containers the other collectors
 * follow: the event stream is the trigger, and the inventory, taken anew after each (re)connect and every few
 * minutes, the safety net.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { DockerVersion } from 'dockerode';
import { catalogue } from '../catalogue/index.ts';
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import {
  actionOfEvent,
  type DockerEvent,
  eventRecord,
  exitCodeOf,
  memberContainerOf,
} from '../lifecycle/event-record.ts';
import type { Ending } from '../lifecycle/exit-classifier.ts';
import { isStopReason } from '../lifecycle/exit-reason.ts';
import { LifecycleReporter, type LifecycleReporterOptions } from '../lifecycle/lifecycle-reporter.ts';
import { missedEvents } from '../lifecycle/missed-events.ts';
import type { RecordSink } from '../records/collector.ts';
import {
  type Attributes,
  type Container,
  type PointSink,
  type Resource,
  type UnixNano,
  unixNow,
} from '../records/records.ts';
import { Backoff } from '../shared/backoff.ts';
import { Containers, type ContainersOptions } from './container-set.ts';
import { type Past, pastEvents, readEvents } from './event-stream.ts';
import { HighWaterMark } from './high-water-mark.ts';

const LONGEST_WAIT_MS = 10_000;
/** How far a reconnect asks back: the daemon may have stamped an event before others that we have seen. */
const OVERLAP: UnixNano = 1_000_000_000n;
/** How many events are remembered to recognise repeats; the daemon itself keeps 256. */
const REMEMBERED = 4096;
/** How long an answer of the daemon is waited for at the end. */
const STOP_MS = 500;
/** How many containers are inspected at a time at start. */
const PARALLEL_INSPECTS = 8;
/** How long the end of a container is not told yet, for the last lines of its log to be read: most are at once. */
const LAST_WORDS_MS = 1000;
/**
 * What is told nowhere is concluded only when it still is after this time, and nothing else of the container was
 * told meanwhile: the daemon shows some things before it tells them.
 */
const SETTLE_MS = 2000;
/** How often a container is looked at again of which other things go on being told. */
const SETTLE_ROUNDS = 3;
/** How long before the daemon is lost the ends lie that it may have caused by ending itself. */
const SHUTDOWN: UnixNano = 20_000_000_000n;
/** What connecting fails with when there is no daemon. */
const REFUSED = new Set(['ECONNREFUSED', 'ENOENT']);
/** What an answer fails with in whose middle the daemon ends, or only breaks off. */
const BROKEN = new Set(['ECONNRESET', 'EPIPE']);
/** As often it may do that, or not answer while it is being connected to: that daemon is there. */
const BREAKS = 6;
/** Between two questions of what an event waits for. */
const LONGEST_QUESTION_WAIT_MS = 1000;
/** From one look at whether the events were all to the next. */
const RECONCILE_MS = 300_000;

/** Actions after which a container's facts are read anew, before they are told. */
const CHANGES = new Set(['start', 'rename', 'update', 'restore']);

/**
 * Actions after which they are read anew once it was told: the daemon does not describe a container while it starts
 * it again.
 */
const LATE_CHANGES = new Set(['die', 'oom']);

/** Statuses that follow from an action alone. */
const STATUSES: Readonly<Record<string, string>> = { die: 'exited', pause: 'paused', unpause: 'running' };

/** Actions after which a running container's cgroup has other settings. */
const SETTINGS = new Set(['update', 'pause', 'unpause', 'oom']);

/** Where the time of the last event is kept. */
export interface EventPosition {
  load(): UnixNano | undefined;
  save(time: UnixNano): void;
}

export interface DockerCollectorOptions
  extends Omit<ContainersOptions, 'onFault' | 'stopping' | 'isGone'>,
    LifecycleReporterOptions {
  readonly docker: Docker;
  /** What every container bears of its host and daemon; asked for whenever the daemon was reached. */
  readonly surroundings: () => Promise<Attributes>;
  /** The host, for events that are about no container. */
  readonly host: () => Resource;
  readonly sink: RecordSink;
  readonly lifecycle: ContainerListener;
  readonly position: EventPosition;
  /** Whether events are told that are about no container that is observed. */
  readonly reportsObjects: boolean;
  /** Told who answers, whenever the daemon was connected to. */
  readonly onVersion: (version: DockerVersion) => void;
  /** Told of each event of an object that is no container, once it was told. */
  readonly onObjectChanged: (type: string) => void;
  /** Told whenever containers were compared with what there is: other objects may have changed unseen too. */
  readonly onReconciled: () => void;
}

/** A time in which nobody watched the daemon. */
interface Absence {
  readonly from: UnixNano;
  to: UnixNano | undefined;
  /** Whether the daemon itself was away, and not only the way to it. */
  isDaemons: boolean;
  /** Containers that seem to have ended because the daemon was told to end. */
  readonly ended: readonly Container[];
}

export class DockerCollector {
  readonly name = 'docker';
  /** Whether the event stream is connected and the inventory taken. */
  connected = false;
  private readonly options: DockerCollectorOptions;
  private readonly all: Containers;
  private readonly story: LifecycleReporter;
  /** Ids of all that existed when the inventory was taken. */
  private listed: ReadonlySet<string> = new Set();
  /** Containers that were there before anything could be told of them, and could not be described then. */
  private readonly unmet = new Set<string>();
  private readonly seen = new Set<string>();
  /** The last event of each object that is still being handled. */
  private readonly turns = new Map<string, Promise<void>>();
  private readonly watermark: HighWaterMark;
  private readonly stopping = new AbortController();
  /** What was before is told, or none of this agent's. */
  private readonly floor: UnixNano;
  private last: UnixNano;
  /** The last event that the daemon is known to have told: one that does not know of it is another process. */
  private landmark: DockerEvent | undefined;
  /** The last time that the daemon was lost. */
  private away: Absence | undefined;
  private loop: Promise<void> | undefined;
  private ready: (() => void) | undefined;
  private reconciling: NodeJS.Timeout | undefined;

  constructor(options: DockerCollectorOptions) {
    this.options = options;
    this.story = new LifecycleReporter(options);
    this.all = new Containers({
      ...options,
      isGone: (id) => this.story.isRemoved(id),
      onFault: (error) => options.sink.reportError(this.name, error),
      stopping: this.stopping.signal,
    });
    this.watermark = new HighWaterMark((time) => options.position.save(time));
    const position = options.position.load();
    this.floor = position === undefined ? unixNow() : position + 1n;
    // One that is killed before anything was delivered is gone on from all the same.
    if (position === undefined) options.position.save(this.floor - 1n);
    this.last = this.floor;
  }

  /** Every container that exists and is observed, by id. */
  get containers(): ReadonlyMap<string, Container> {
    return this.all.known;
  }

  /**
   * Subscribes, and stays subscribed until `stop`.
   * @param ready called once, when the containers that exist are known
   */
  start(ready: () => void): void {
    this.ready = ready;
    this.loop = this.run();
    this.reconciling = setInterval(() => {
      if (this.connected) this.reconcile().catch((error) => this.fault(error));
    }, RECONCILE_MS).unref();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    clearInterval(this.reconciling);
    // A daemon that does not answer must not keep us.
    await Promise.race([this.loop, sleep(STOP_MS, undefined, { ref: false })]);
  }

  /** Whether there is such a container, observed or not. */
  exists(id: string): boolean {
    return this.listed.has(id) || this.containers.has(id);
  }

  /** How many containers there are of each status. */
  collectHost(points: PointSink): void {
    const counts = new Map<string, number>();
    for (const { status } of this.containers.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const [status, value] of counts) {
      points.push({ metric: catalogue.daemonContainers, value, attributes: { 'container.status': status } });
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const backoff = new Backoff(LONGEST_WAIT_MS, signal);
    while (!signal.aborted) {
      try {
        await this.follow(signal, backoff);
        if (!signal.aborted) throw new Error('the daemon closed the event stream');
      } catch (error) {
        if (signal.aborted) break;
        this.fault(error);
        if (this.away !== undefined && REFUSED.has(codeOf(error))) this.away.isDaemons = true;
      }
      if (this.connected) this.away = this.absence();
      this.connected = false;
      await backoff.wait();
    }
    this.connected = false;
  }

  private async follow(signal: AbortSignal, backoff: Backoff): Promise<void> {
    const since = this.overlapping(this.last);
    const attempt = new AbortController();
    const either = AbortSignal.any([signal, attempt.signal]);
    try {
      const events = readEvents(this.options.docker, since, either, (error) => this.fault(error));
      // The subscription is asked for before the inventory: what happens in between shows in both, and is
      // recognised.
      let next = events.next();
      next.catch(() => {});
      const { docker, surroundings, onVersion: answered } = this.options;
      const [version, where] = await Promise.all([docker.version(), surroundings()]);
      answered(version);
      this.all.runBy(version, where);
      // What the daemon still knows of comes before what can only be made up.
      const past = await this.past(this.landmark === undefined ? 0n : BigInt(this.landmark.timeNano));
      if (this.away !== undefined && this.away.to === undefined) this.isBack(this.away, past);
      this.landmark = past.events.at(-1) ?? this.landmark;
      for (const event of past.events) if (BigInt(event.timeNano) >= since) this.take(event);
      // An event can wait for the next daemon: that is another connection's.
      const lost = new Promise<never>((_, reject) => next.catch(reject));
      await Promise.race([Promise.all(this.turns.values()), lost]);
      await this.reconcile();
      backoff.reset();
      this.connected = true;
      this.ready?.();
      this.ready = undefined;
      for (let result = await next; !result.done; result = await next) {
        this.take(result.value);
        next = events.next();
      }
    } finally {
      attempt.abort();
    }
  }

  /** What the daemon remembers of the time from `since` until now. */
  private past(since: UnixNano): Promise<Past> {
    const { signal } = this.stopping;
    return pastEvents(this.options.docker, since, unixNow(), signal, (error) => this.fault(error));
  }

  /** Takes what the daemon remembers, and waits until it is told. */
  private async catchUp(since: UnixNano): Promise<void> {
    for (const event of (await this.past(since)).events) this.take(event);
    await Promise.all(this.turns.values());
  }

  /** The daemon is there again: one that remembers nothing of what it told before is another process. */
  private isBack(away: Absence, { events, isComplete }: Past): void {
    away.to = unixNow();
    const { landmark } = this;
    if (landmark !== undefined && isComplete)
      away.isDaemons = !events.some((event) => keyOf(event) === keyOf(landmark));
    if (away.isDaemons) for (const container of away.ended) this.story.reportStoppedByDaemon(container);
  }

  /**
   * Brings what is known, and what was told, in line with what the daemon says exists. What happened without
   * an event is told as if there had been one.
   */
  private async reconcile(): Promise<void> {
    // One that is created while the daemon makes its list need not be on it.
    const before = [...this.story.reportedIds(), ...this.containers.keys()];
    const began = unixNow();
    const { ids, found } = await this.inventory();
    this.listed = ids;
    for (const id of this.all.ignored) if (!ids.has(id)) this.all.ignored.delete(id);
    // Events of what was found are told by then, and are no news any more.
    await this.catchUp(this.overlapping(began));
    const suspects = new Map<string, number>();
    for (const id of new Set([...ids, ...before])) {
      this.inTurn([id], async () => {
        if (this.all.ignored.has(id)) this.story.forgetContainer(id);
        else if (this.compare(id, found.get(id), ids.has(id))) suspects.set(id, this.story.eventCountOf(id));
      });
    }
    await Promise.all(this.turns.values());
    this.story.keepBaseline();
    this.settle(suspects, SETTLE_ROUNDS);
    this.options.onReconciled();
  }

  /** @param suspects containers of which something seems to be missing, and how many events were told of each */
  private settle(suspects: ReadonlyMap<string, number>, rounds: number): void {
    if (suspects.size === 0 || rounds === 0) return;
    const conclude = async () => {
      if (!this.connected) return;
      const began = unixNow();
      const { ids, found } = await this.inventory(suspects);
      await this.catchUp(this.overlapping(began));
      const later = new Map<string, number>();
      for (const [id, count] of suspects) {
        this.inTurn([id], async () => {
          if (this.story.eventCountOf(id) !== count) later.set(id, this.story.eventCountOf(id));
          else if (found.has(id) || !ids.has(id)) this.tellMissed(id, found.get(id));
        });
      }
      await Promise.all(this.turns.values());
      this.settle(later, rounds - 1);
    };
    const again = (error: unknown) => {
      this.fault(error);
      // A daemon that did not answer in time is asked once more; one that is lost is compared when it is back.
      if (this.connected) this.settle(suspects, rounds);
    };
    setTimeout(() => conclude().catch(again), SETTLE_MS).unref();
  }

  /**
   * What the daemon has.
   * @param wanted containers to describe; all by default
   */
  private async inventory(
    wanted?: ReadonlyMap<string, number>,
  ): Promise<{ ids: ReadonlySet<string>; found: ReadonlyMap<string, Container> }> {
    const listed = await this.options.docker.listContainers({ all: true });
    const ids = new Set(listed.map(({ Id }) => Id));
    const found = new Map<string, Container>();
    const queue = [...ids].filter(
      (id) => !this.all.ignored.has(id) && (wanted === undefined || wanted.has(id)),
    );
    const inspectNext = async () => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        const container = await this.inspectOrReport(id);
        // A copy: it is what was found that is compared, whatever becomes of it meanwhile.
        if (container !== undefined) found.set(id, { ...container });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_INSPECTS }, inspectNext));
    return { ids, found };
  }

  /**
   * Lets the other collectors know of a container that is there.
   * @param state the container as it was found; undefined where the daemon could not describe it, or has it no more
   * @returns whether something seems to be missing in what was told of it
   */
  private compare(id: string, state: Container | undefined, exists: boolean): boolean {
    const container = this.containers.get(id);
    const told = this.story.stateOf(id);
    if (state === undefined) {
      if (exists && !this.story.hasBaseline) this.unmet.add(id);
      return !exists && (told !== undefined || container !== undefined);
    }
    if (container === undefined) return false;
    if (told === undefined && (!this.story.hasBaseline || this.unmet.has(id)))
      this.story.adoptContainer(container);
    this.unmet.delete(id);
    if (container.startedAt !== 0n) {
      this.options.lifecycle.containerStarted(container);
      if (container.pid === 0) void this.options.lifecycle.containerStopped(container);
    }
    return missedEvents(id, this.story.stateOf(id), state, unixNow()).length > 0;
  }

  /** @param state the container as it was found; undefined where it is not any more */
  private tellMissed(id: string, state: Container | undefined): void {
    const container = this.containers.get(id);
    const told = this.story.stateOf(id);
    for (const event of missedEvents(id, told, state, unixNow())) {
      const about = container ?? this.all.remembered(id, event.Actor.Attributes, told);
      if (about !== undefined)
        void this.story.reportEvent(about, event, this.wasAway(BigInt(event.timeNano)));
    }
    if (state === undefined && container !== undefined) this.forget(container);
  }

  /** Events of one object are handled one after the other; those of others do not wait for them. */
  private take(event: DockerEvent): void {
    if (this.isRepeat(event)) return;
    this.landmark = event;
    const time = BigInt(event.timeNano);
    if (time > this.last) this.last = time;
    const done = this.watermark.begin(time);
    const { ID } = event.Actor;
    const action = actionOfEvent(event);
    if (action.type === 'image') {
      this.all.imageChanged(ID);
      this.story.recordImageArrival(event, action);
    }
    if (action.type === 'container') this.story.anticipateEvent(ID, action.action, time);
    // What may be gone in a moment is not kept waiting for what was before.
    const isStart = action.type === 'container' && (action.action === 'create' || action.action === 'start');
    if (isStart && !this.all.ignored.has(ID))
      this.options.lifecycle.containerStarting(ID, this.containers.get(ID));
    // A container that is connected to a network is in the middle of its own story.
    const objects = [ID, memberContainerOf(event)].filter((id) => id !== undefined && id !== '') as string[];
    this.inTurn(objects, async () => {
      try {
        const told =
          action.type === 'container' && ID !== ''
            ? this.tellContainer(event, action.action, time)
            : this.tellObject(event);
        void (await told).sent.then(done);
      } catch (error) {
        // What an agent that ends has left untold is told by the next one.
        if (this.stopping.signal.aborted) return;
        done();
        this.fault(error);
      }
    });
  }

  /** Does something when all that was begun before for any of the objects is done. */
  private inTurn(objects: readonly string[], act: () => Promise<void>): void {
    const turn = Promise.all(objects.map((id) => this.turns.get(id)))
      .then(act)
      .catch((error) => this.fault(error));
    for (const id of objects) this.turns.set(id, turn);
    void turn.then(() => {
      for (const id of objects) if (this.turns.get(id) === turn) this.turns.delete(id);
    });
  }

  /** @returns `sent` resolves when every exporter has taken charge of it */
  private async tellContainer(
    event: DockerEvent,
    action: string,
    time: UnixNano,
  ): Promise<{ sent: Promise<void> }> {
    const container = await this.follows(event, action);
    if (container === undefined) {
      this.story.discardKills(event.Actor.ID);
      return NOTHING_SENT;
    }
    // Podman tells each run of the check, and not what came of it.
    if (action === 'health_status') return this.tellHealth(event, container, time);
    // What was inspected can be ahead of the events: a run is attached as soon as it is seen, and an end that
    // lies before it is another run's.
    if (container.pid !== 0 || action === 'start') this.options.lifecycle.containerStarted(container);
    const isOfThisRun = time >= container.startedAt;
    if (isOfThisRun && STATUSES[action] !== undefined) container.status = STATUSES[action];
    let ending: Ending | undefined;
    if (action === 'die' && isOfThisRun) {
      container.pid = 0;
      container.exitCode = exitCodeOf(event) ?? container.exitCode;
      const read = this.options.lifecycle.containerStopped(container);
      if (exitCodeOf(event) !== 0)
        await Promise.race([read, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
      ending = await this.story.awaitOomKill(container, event, this.wasAway(time));
    }
    const sent = this.story.reportEvent(container, event, this.wasAway(time), ending);
    if (LATE_CHANGES.has(action)) this.all.refresh(container.id).catch((error) => this.fault(error));
    if (action === 'destroy') this.forget(container);
    else if (SETTINGS.has(action)) this.options.lifecycle.containerChanged(container);
    else if (action.startsWith('health_status.')) container.health = action.slice('health_status.'.length);
    return { sent };
  }

  private async tellHealth(
    event: DockerEvent,
    container: Container,
    time: UnixNano,
  ): Promise<{ sent: Promise<void> }> {
    await this.inspectOrReport(container.id);
    const { health } = container;
    const isNews =
      health !== this.story.stateOf(container.id)?.health && health !== undefined && health !== 'starting';
    const about = isNews ? { ...event, Action: `health_status: ${health}` } : event;
    return { sent: this.story.reportEvent(container, about, this.wasAway(time)) };
  }

  private async tellObject(event: DockerEvent): Promise<{ sent: Promise<void> }> {
    const member = memberContainerOf(event);
    if (member !== undefined && this.all.ignored.has(member)) return NOTHING_SENT;
    const container = member === undefined ? undefined : this.existingOrTold(member);
    if (container === undefined && !this.options.reportsObjects) {
      this.options.onObjectChanged(event.Type);
      return NOTHING_SENT;
    }
    const record = eventRecord(event, {
      container: container?.name,
      tail: container === undefined ? '' : `: container ${container.name}`,
      context: container === undefined ? undefined : this.story.stateOf(container.id)?.life,
    });
    this.options.onObjectChanged(event.Type);
    return { sent: this.options.sink.emitEvent(container?.resource ?? this.options.host(), record) };
  }

  /** A container that is or was there. */
  private existingOrTold(id: string): Container | undefined {
    const told = this.story.stateOf(id);
    return this.containers.get(id) ?? (told === undefined ? undefined : this.all.remembered(id, {}, told));
  }

  private overlapping(time: UnixNano): UnixNano {
    return time - OVERLAP < this.floor ? this.floor : time - OVERLAP;
  }

  /** Whether the daemon was away then. */
  private wasAway(time: UnixNano): boolean {
    const { away } = this;
    return away?.isDaemons === true && time >= away.from && (away.to === undefined || time <= away.to);
  }

  /** The daemon is lost. One that is told to end ends all containers before. */
  private absence(): Absence {
    const from = unixNow();
    const all = [...this.containers.values()];
    const ended = all.filter(({ id, pid }) => {
      const told = this.story.stateOf(id);
      const at = told?.lastTimes.die;
      return pid === 0 && at !== undefined && from - at < SHUTDOWN && isStopReason(told?.exit);
    });
    return { from, to: undefined, isDaemons: false, ended: all.every(({ pid }) => pid === 0) ? ended : [] };
  }

  private isRepeat(event: DockerEvent): boolean {
    const key = keyOf(event);
    if (this.seen.has(key)) return true;
    this.seen.add(key);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value!);
    return false;
  }

  /**
   * The container that an event is about, inspected anew where the event says that it has changed; undefined
   * where it is not observed.
   */
  private async follows(event: DockerEvent, action: string): Promise<Container | undefined> {
    const { ID, Attributes } = event.Actor;
    const known = this.containers.get(ID);
    if (this.all.ignored.has(ID)) {
      if (action === 'destroy') this.all.ignored.delete(ID);
      return undefined;
    }
    if (known !== undefined && !CHANGES.has(action)) return known;
    const inspected = action === 'destroy' ? undefined : await this.describe(ID);
    if (inspected !== undefined || known !== undefined) return inspected ?? known;
    return this.all.ignored.has(ID) ? undefined : this.all.remembered(ID, Attributes, this.story.stateOf(ID));
  }

  private forget(container: Container): void {
    this.all.known.delete(container.id);
    this.options.lifecycle.containerRemoved(container);
  }

  /**
   * What an event is about. One that was told just before the daemon ended waits for the next daemon: told without that,
   * it would be taken for what it is not.
   * @throws {Error} when the agent stops before
   */
  private async describe(id: string): Promise<Container | undefined> {
    const { signal } = this.stopping;
    const backoff = new Backoff(LONGEST_QUESTION_WAIT_MS, signal);
    for (let breaks = 0; ; ) {
      try {
        return await this.all.inspect(id);
      } catch (error) {
        if (signal.aborted) throw error;
        this.fault(error);
        if (!REFUSED.has(codeOf(error))) {
          // Whoever listens for a daemon that is starting does not answer for it.
          const mayComeBack = BROKEN.has(codeOf(error)) || !this.connected;
          if (!mayComeBack || ++breaks === BREAKS) return undefined;
        }
      }
      await backoff.wait();
    }
  }

  /** It is told of even where it cannot be described. */
  private async inspectOrReport(id: string): Promise<Container | undefined> {
    try {
      return await this.all.inspect(id);
    } catch (error) {
      this.fault(error);
      return undefined;
    }
  }

  private fault(error: unknown): void {
    this.options.sink.reportError(this.name, error);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** What tells an event from all others that the daemon remembers. */
function keyOf({ timeNano, Type, Action, Actor }: DockerEvent): string {
  const { name = '', container = '', execID = '' } = Actor.Attributes;
  return [timeNano, Type, Action, Actor.ID, name, container, execID].join(' ');
}

const NOTHING_SENT = { sent: Promise.resolve() };
