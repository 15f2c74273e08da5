/**
 * The daemon: its containers and its events. What it sees decides which containers the other collectors
 * follow: the event stream is the trigger, and the inventory, taken anew after each (re)connect, the
 * safety net.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ContainerInspectInfo, ImageInspectInfo } from 'dockerode';
import { Backoff } from '../../agent/backoff.ts';
import { catalogue } from '../../agent/catalogue/index.ts';
import type { Container, PointSink, Resource, UnixNano } from '../../agent/records.ts';
import type { Sink } from '../collector.ts';
import { isNotFound } from './client.ts';
import { type DockerEvent, eventAction, eventRecord } from './event-record.ts';
import { readEvents } from './event-stream.ts';
import { fromActor, fromInspect, runtimeAttributes, type Surroundings } from './identity.ts';
import { Watermark } from './watermark.ts';

const LONGEST_WAIT_MS = 10_000;
/** How far a reconnect asks back: the daemon may have stamped an event before others that we have seen. */
const OVERLAP: UnixNano = 1_000_000_000n;
/** How many events are remembered to recognise repeats; the daemon itself keeps 256. */
const REMEMBERED = 1024;
/** How long an answer of the daemon is waited for at the end. */
const STOP_MS = 500;
/** How long the daemon may take to describe one container: events wait for it. */
const ANSWER_MS = 3000;
/** How many containers are inspected at a time at start. */
const PARALLEL_INSPECTS = 8;

/** Actions after which a container's facts are read anew. */
const CHANGES = new Set(['start', 'rename', 'update', 'die', 'oom', 'pause', 'unpause']);

/** Actions after which a running container's cgroup has other settings. */
const SETTINGS = new Set(['update', 'pause', 'unpause', 'oom']);

/** What the agent does when a container begins to run, ends, or is gone. */
export interface Lifecycle {
  /** It was created or started, and is about to be inspected: what cannot wait for that begins now. */
  starting(id: string, container: Container | undefined): void;
  /** It may have ended already: then its `pid` is 0, and its log is still there to read. */
  started(container: Container): void;
  changed(container: Container): void;
  stopped(container: Container): void;
  removed(container: Container): void;
}

/** Where the time of the last event is kept. */
export interface EventPosition {
  load(): UnixNano | undefined;
  save(time: UnixNano): void;
}

export interface DockerCollectorOptions {
  readonly docker: Docker;
  /** `host.*` and `os.*`. */
  readonly surroundings: Surroundings;
  /** The host, for events that are about no container. */
  readonly host: Resource;
  /** Patterns of container labels that the resource bears. */
  readonly labels: readonly string[];
  /** Whether a container is observed at all. */
  readonly selects: (container: Container) => boolean;
  readonly sink: Sink;
  readonly lifecycle: Lifecycle;
  readonly position: EventPosition;
}

export class DockerCollector {
  readonly name = 'docker';
  /** Every container that exists and is observed, by id. */
  readonly containers = new Map<string, Container>();
  /** Ids of those that exist and are not. */
  private readonly ignored = new Set<string>();
  /** Whether the event stream is connected and the inventory taken. */
  connected = false;
  private readonly options: DockerCollectorOptions;
  /** The host and, once it was reached, the daemon. */
  private surroundings: Surroundings;
  private readonly images = new Map<string, ImageInspectInfo>();
  /** Ids of all that existed when the inventory was taken. */
  private listed: ReadonlySet<string> = new Set();
  private readonly seen = new Set<string>();
  /** The last event of each object that is still being handled. */
  private readonly turns = new Map<string, Promise<void>>();
  private readonly watermark: Watermark;
  private readonly stopping = new AbortController();
  private last: UnixNano;
  private loop: Promise<void> | undefined;
  private ready: (() => void) | undefined;

  constructor(options: DockerCollectorOptions) {
    this.options = options;
    this.surroundings = options.surroundings;
    this.watermark = new Watermark((time) => options.position.save(time));
    const position = options.position.load();
    this.last = position === undefined ? BigInt(Date.now()) * 1_000_000n : position + 1n;
  }

  /**
   * Subscribes, and stays subscribed until `stop`.
   * @param ready called once, when the containers that exist are known
   */
  start(ready: () => void): void {
    this.ready = ready;
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    // A daemon that does not answer must not keep us.
    await Promise.race([this.loop, sleep(STOP_MS, undefined, { ref: false })]);
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
        this.options.sink.fault(this.name, error);
      }
      this.connected = false;
      await backoff.wait();
    }
    this.connected = false;
  }

  private async follow(signal: AbortSignal, backoff: Backoff): Promise<void> {
    const since = this.seen.size === 0 ? this.last : this.last - OVERLAP;
    const attempt = new AbortController();
    const either = AbortSignal.any([signal, attempt.signal]);
    try {
      const malformed = (error: unknown) => this.options.sink.fault(this.name, error);
      const events = readEvents(this.options.docker, since, either, malformed);
      // The subscription is asked for before the inventory: what happens in between shows in both, and is
      // recognised.
      let next = events.next();
      next.catch(() => {});
      await this.takeInventory();
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

  /** Brings what is known in line with what the daemon says exists. */
  private async takeInventory(): Promise<void> {
    const { docker } = this.options;
    this.surroundings = { ...this.options.surroundings, ...runtimeAttributes(await docker.version()) };
    const listed = await docker.listContainers({ all: true });
    const ids = new Set(listed.map(({ Id }) => Id));
    this.listed = ids;
    for (const container of [...this.containers.values()]) if (!ids.has(container.id)) this.forget(container);
    for (const id of this.ignored) if (!ids.has(id)) this.ignored.delete(id);
    const queue = listed.map(({ Id }) => Id);
    const inspectNext = async () => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        try {
          const container = await this.inspect(id);
          if (container === undefined || container.startedAt === 0n) continue;
          this.options.lifecycle.started(container);
          if (container.pid === 0) this.options.lifecycle.stopped(container);
        } catch (error) {
          // One container that the daemon cannot describe must not hide the others.
          this.options.sink.fault(this.name, error);
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_INSPECTS }, inspectNext));
  }

  /** Events of one object are handled one after the other; those of others do not wait for them. */
  private take(event: DockerEvent): void {
    if (this.isRepeat(event)) return;
    const time = BigInt(event.timeNano);
    if (time > this.last) this.last = time;
    if (event.Type === 'image') this.images.delete(event.Actor.ID);
    const done = this.watermark.begin(time);
    const { ID } = event.Actor;
    // What may be gone in a moment is not kept waiting for what was before.
    const isOne = event.Type === 'container' && (event.Action === 'create' || event.Action === 'start');
    if (isOne && !this.ignored.has(ID)) this.options.lifecycle.starting(ID, this.containers.get(ID));
    const turn = (this.turns.get(ID) ?? Promise.resolve()).then(() => this.handle(event, time, done));
    this.turns.set(ID, turn);
    void turn.then(() => {
      if (this.turns.get(ID) === turn) this.turns.delete(ID);
    });
  }

  private async handle(event: DockerEvent, time: UnixNano, done: () => void): Promise<void> {
    try {
      const container = event.Type === 'container' ? await this.follows(event) : undefined;
      if (container === undefined && event.Type === 'container') {
        done();
        return;
      }
      const record = eventRecord(event, container?.name);
      void this.options.sink.event(container?.resource ?? this.options.host, record).then(done);
      if (container !== undefined) this.apply(eventAction(event.Action), container, time);
    } catch (error) {
      done();
      this.options.sink.fault(this.name, error);
    }
  }

  private isRepeat(event: DockerEvent): boolean {
    const key = `${event.timeNano} ${event.Type} ${event.Action} ${event.Actor.ID}`;
    if (this.seen.has(key)) return true;
    this.seen.add(key);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value!);
    return false;
  }

  /**
   * The container that an event is about, inspected anew where the event says that it has changed; undefined
   * where it is not observed.
   */
  private async follows(event: DockerEvent): Promise<Container | undefined> {
    const { ID, Attributes } = event.Actor;
    const known = this.containers.get(ID);
    const action = eventAction(event.Action);
    if (this.ignored.has(ID)) {
      if (action === 'destroy') this.ignored.delete(ID);
      return undefined;
    }
    if (known !== undefined && !CHANGES.has(action)) return known;
    const inspected = action === 'destroy' ? undefined : await this.inspectOrReport(ID);
    if (inspected !== undefined || known !== undefined) return inspected ?? known;
    if (this.ignored.has(ID)) return undefined;
    const told = fromActor(ID, Attributes, this.surroundings, this.options.labels);
    return this.options.selects(told) ? told : undefined;
  }

  private apply(action: string, container: Container, time: UnixNano): void {
    // What was inspected can be ahead of the events: a run is attached as soon as it is seen, and an end
    // that lies before it is another run's.
    if (container.pid !== 0 || action === 'start') this.options.lifecycle.started(container);
    if (action === 'die' && time >= container.startedAt) {
      container.pid = 0;
      this.options.lifecycle.stopped(container);
    } else if (action === 'destroy') this.forget(container);
    else if (SETTINGS.has(action)) this.options.lifecycle.changed(container);
    else if (action.startsWith('health_status.')) container.health = action.slice('health_status.'.length);
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

  private forget(container: Container): void {
    this.containers.delete(container.id);
    this.options.lifecycle.removed(container);
  }

  /** An event is told even where its container cannot be described. */
  private async inspectOrReport(id: string): Promise<Container | undefined> {
    try {
      return await this.inspect(id);
    } catch (error) {
      this.options.sink.fault(this.name, error);
      return undefined;
    }
  }

  /** Reads a container's facts into its one object; undefined when it no longer exists, or is not observed. */
  private async inspect(id: string): Promise<Container | undefined> {
    const { docker } = this.options;
    let inspect: ContainerInspectInfo;
    try {
      inspect = await docker.getContainer(id).inspect({ abortSignal: this.within() } as object);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    const fresh = fromInspect(
      inspect,
      await this.image(inspect.Image),
      this.surroundings,
      this.options.labels,
    );
    const known = this.containers.get(id);
    if (known === undefined && !this.options.selects(fresh)) {
      this.ignored.add(id);
      return undefined;
    }
    if (known === undefined) this.containers.set(id, fresh);
    return known === undefined ? fresh : Object.assign(known, fresh);
  }

  /** An image's facts never change but for its tags; undefined when it was deleted since. */
  private async image(id: string): Promise<ImageInspectInfo | undefined> {
    const known = this.images.get(id);
    if (known !== undefined) return known;
    try {
      const details = await this.options.docker
        .getImage(id)
        .inspect({ abortSignal: this.within() } as object);
      this.images.set(id, details);
      return details;
    } catch (error) {
      // A container is worth more than what its image adds to it.
      if (!isNotFound(error)) this.options.sink.fault(this.name, error);
      return undefined;
    }
  }

  /** The time that the daemon has for one answer: it can hang on a lock of one container's. */
  private within(): AbortSignal {
    return AbortSignal.any([this.stopping.signal, AbortSignal.timeout(ANSWER_MS)]);
  }
}
