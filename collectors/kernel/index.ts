/**
 * The containers of which the kernel shows processes, without any daemon: in a pid namespace that is shared with
 * them. A look a second at /proc is the trigger. What only the daemon knows (names, labels, exit codes, logs) is
 * taken from what it writes down, where its directory of containers is mounted, and is absent elsewhere.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import type { DockerEvent } from '../lifecycle/event-record.ts';
import { fromActor, fromInspect } from '../lifecycle/identity.ts';
import { LifecycleReporter, type LifecycleReporterOptions } from '../lifecycle/lifecycle-reporter.ts';
import { missedEvents } from '../lifecycle/missed-events.ts';
import type { RecordSink } from '../records/collector.ts';
import { type Attributes, type Container, type UnixNano, unixNow } from '../records/records.ts';
import { type KernelFiles, readSmallFile } from '../shared/kernel-file.ts';
import { type Namespace, readNamespaces } from '../shared/namespaces.ts';
import { TimeSlice } from '../shared/time-slice.ts';
import type { WildcardMatcher } from '../shared/wildcard.ts';
import { DaemonFiles } from './daemon-files.ts';
import { type Init, ProcessTable } from './process-table.ts';

const LOOK_MS = 1000;
/** How long the end of a container is not told yet, for the last lines of its log to be read. */
const LAST_WORDS_MS = 250;
/** The daemon writes down how a container ended some moments after it did; it is waited for so many looks. */
const PATIENCE = 3;
/** How long a container that has ended is remembered where nothing tells whether it still exists. */
const REMEMBERED_MS = 600_000;

const TICK: UnixNano = 10_000_000n;
const SECOND = 1e9;

export interface KernelOptions extends LifecycleReporterOptions {
  readonly procfs: string;
  readonly files: KernelFiles;
  /** Where the / of the host is. */
  readonly rootfs: string;
  /** `host.*` and `os.*`. */
  readonly surroundings: Attributes;
  /** Whether a container label becomes a resource attribute. */
  readonly isWantedLabel: WildcardMatcher;
  /** Whether a container is observed at all. */
  readonly selects: (container: Container) => boolean;
  /** What else the resource of a running container is to bear. */
  readonly describe: (container: Container) => Attributes;
  readonly sink: RecordSink;
  readonly lifecycle: ContainerListener;
}

/** A container that has run while we looked. */
interface Known {
  readonly container: Container;
  /** Its first process; undefined once that has ended. */
  init: Init | undefined;
  /** When the daemon had last written something down of it, as we read that. */
  writtenAt: number;
  /** How many looks ago it ended, until that is told. */
  ending: number;
  /** ms since the epoch; 0 while it runs. */
  endedAt: number;
}

export class KernelCollector {
  readonly name = 'kernel';
  /** Whether /proc was looked at. */
  connected = false;
  readonly containers = new Map<string, Container>();
  private readonly options: KernelOptions;
  private readonly story: LifecycleReporter;
  private readonly table: ProcessTable;
  private readonly files: DaemonFiles;
  private readonly known = new Map<string, Known>();
  private readonly ignored = new Set<string>();
  /** Inode of the network namespace of each container that runs, where we may look at it. */
  private readonly networks = new Map<string, number>();
  private readonly bootId: string;
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  /** @throws when /proc cannot be read */
  constructor(options: KernelOptions) {
    this.options = options;
    this.story = new LifecycleReporter(options);
    this.table = new ProcessTable(options.procfs, (path) => options.files.open(path));
    this.files = new DaemonFiles(options.rootfs);
    this.bootId = readFileSync(join(options.procfs, 'sys/kernel/random/boot_id'), 'latin1').trim();
  }

  /** @param ready called once, when the containers that run are known */
  start(ready: () => void): void {
    this.loop = this.run(ready);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    this.table.close();
  }

  /** Whether there is such a container, running or remembered. */
  exists(id: string): boolean {
    return this.known.has(id) || this.ignored.has(id);
  }

  private async run(ready: () => void): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.look();
        if (!this.connected) {
          this.connected = true;
          this.story.keepBaseline();
          ready();
        }
      } catch (error) {
        this.options.sink.reportError(this.name, error);
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async look(): Promise<void> {
    const found = this.table.scan();
    if (!this.connected) for (const id of [...this.story.reportedIds()]) if (!found.has(id)) this.missed(id);
    for (const id of this.ignored) if (!found.has(id)) this.ignored.delete(id);
    const isWritten = this.files.isReadable;
    // Whose network it is, is known before others are found to share it.
    const slice = new TimeSlice();
    for (const [id, init] of found) {
      if (slice.isOver) await slice.yieldToEventLoop();
      this.attempt(id, () => this.seen(id, init, isWritten));
    }
    const gone = [...this.known.values()].filter(({ container }) => !found.has(container.id));
    const canTell = gone.length > 0 && isWritten;
    await Promise.all(
      gone.map((known) => this.unseen(known, canTell).catch((error) => this.fault(error, known.container))),
    );
  }

  /**
   * A container runs.
   * @param isWritten whether it can be seen what the daemon writes down of it
   */
  private seen(id: string, init: Init, isWritten: boolean): void {
    if (this.ignored.has(id)) return;
    const known = this.known.get(id);
    const writtenAt = isWritten ? this.files.writtenAt(id) : 0;
    const isSameRun = known?.init?.pid === init.pid && known.init.ticks === init.ticks;
    if (known !== undefined && isSameRun && known.writtenAt === writtenAt) return;
    const fresh = this.describe(init);
    if (known === undefined && !this.options.selects(fresh)) {
      this.ignored.add(id);
      this.story.forgetContainer(id);
      return;
    }
    const container = Object.assign(known?.container ?? fresh, fresh);
    // A whole end, and a start, between two looks.
    if (known?.init !== undefined && !isSameRun)
      void this.options.lifecycle.containerStopped({ ...container, pid: 0 });
    this.known.set(id, { container, init, writtenAt, ending: 0, endedAt: 0 });
    this.containers.set(id, container);
    // Those that run when the first look of all is taken have been started before.
    if (!this.story.hasBaseline && this.story.stateOf(id) === undefined) this.story.adoptContainer(container);
    this.options.lifecycle.containerStarted(container);
    if (isSameRun) this.options.lifecycle.containerChanged(container);
    void this.tell(container, missedEvents(id, this.story.stateOf(id), container, unixNow()));
  }

  /**
   * A container does not run any more, or has not for some time.
   * @param canTell whether it can be seen whether it still exists
   */
  private async unseen(known: Known, canTell: boolean): Promise<void> {
    const { container } = known;
    if (known.endedAt === 0) {
      const written = this.files.inspect(container.id);
      const isWritten = written !== undefined && (!written.State.Running || written.State.Pid === 0);
      // It may be written down in a moment; one that exists no more is not written of.
      if (written !== undefined && !isWritten && ++known.ending < PATIENCE) return;
      known.init = undefined;
      known.endedAt = Date.now();
      known.writtenAt = this.files.writtenAt(container.id);
      this.networks.delete(container.id);
      const end = isWritten ? fromInspect(written, undefined, {}) : undefined;
      Object.assign(container, {
        pid: 0,
        status: end?.status ?? 'exited',
        health: undefined,
        exitCode: end?.exitCode,
        oomKilled: end?.oomKilled,
        finishedAt: end !== undefined && end.finishedAt > container.startedAt ? end.finishedAt : 0n,
      });
      const read = this.options.lifecycle.containerStopped(container);
      await Promise.race([read, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
      await this.tell(
        container,
        missedEvents(container.id, this.story.stateOf(container.id), container, unixNow()),
      );
      return;
    }
    if (canTell) {
      if (this.files.has(container.id)) return;
      await this.tell(
        container,
        missedEvents(container.id, this.story.stateOf(container.id), undefined, unixNow()),
      );
    } else if (Date.now() - known.endedAt < REMEMBERED_MS) return;
    this.forget(container);
  }

  /** A container that an earlier agent told of, and that does not run. */
  private missed(id: string): void {
    const { name, resource, startedAt } = this.story.stateOf(id)!;
    const written = this.files.inspect(id);
    const container: Container = {
      ...(written === undefined
        ? { ...fromActor(id, {}, {}), ...UNKNOWN, labels: {}, name }
        : fromInspect(written, undefined, {})),
      resource: { attributes: resource },
      pid: 0,
      startedAt,
      status: 'exited',
    };
    this.known.set(id, { container, init: undefined, writtenAt: 0, ending: PATIENCE, endedAt: 0 });
    this.containers.set(id, container);
    // What it wrote to its log is still to be read.
    if (written !== undefined) this.options.lifecycle.containerStarted(container);
  }

  private forget(container: Container): void {
    const { id } = container;
    this.known.delete(id);
    this.containers.delete(id);
    this.story.forgetContainer(id);
    this.options.store.delete(RUN + id);
    this.options.lifecycle.containerRemoved(container);
  }

  private async tell(container: Container, events: readonly DockerEvent[]): Promise<void> {
    const kept: Promise<void>[] = [];
    for (const event of events) {
      // That it was created some time before is all that is known of that where nobody wrote it down.
      if (event.Action === 'create' && container.createdAt === 0n) continue;
      kept.push(this.story.reportEvent(container, event, false));
    }
    await Promise.race([Promise.all(kept), sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  }

  private describe(init: Init): Container {
    const { id, pid, runtime } = init;
    const { surroundings, isWantedLabel, describe } = this.options;
    const written = this.files.inspect(id);
    const by = runtime ?? (written === undefined ? undefined : 'docker');
    const around = by === undefined ? surroundings : { ...surroundings, 'container.runtime.name': by };
    const container =
      written === undefined
        ? this.unnamed(init, around)
        : { ...fromInspect(written, undefined, around, isWantedLabel), finishedAt: 0n };
    container.pid = pid;
    container.startedAt = this.startOf(init);
    if (container.status !== 'paused') container.status = 'running';
    container.networkMode = this.networkMode(container);
    const more = describe(container);
    container.resource = {
      ...container.resource,
      attributes: { ...container.resource.attributes, ...more },
    };
    return container;
  }

  /** A container of which nobody has written anything down: OpenTelemetry has a name for services without one. */
  private unnamed({ id, name }: Init, around: Attributes): Container {
    const container: Container = { ...fromActor(id, {}, around), ...UNKNOWN, labels: {} };
    const attributes = { ...container.resource.attributes, 'service.name': `unknown_service:${name}` };
    container.resource = { subject: container, attributes };
    return container;
  }

  /** When a run began; the same whoever asks, and however the clock is set meanwhile. */
  private startOf({ id, ticks }: Init): UnixNano {
    const { store, procfs } = this.options;
    const run = `${this.bootId} ${ticks}`;
    const [boot, kept, start] = (store.load(RUN + id) ?? '').split(' ');
    if (start !== undefined && `${boot} ${kept}` === run) return BigInt(start);
    const uptime = Number.parseFloat(readSmallFile(join(procfs, 'uptime')));
    const startedAt = unixNow() - BigInt(Math.round(uptime * SECOND)) + BigInt(ticks) * TICK;
    store.save(RUN + id, `${run} ${startedAt}`);
    return startedAt;
  }

  /** As the daemon would say it: whose network it has joined. That is the host's, or the one's that was there first. */
  private networkMode({ id, pid, networkMode }: Container): string {
    if (networkMode !== '') return networkMode;
    let net: Namespace | undefined;
    try {
      net = readNamespaces(this.options.procfs, pid).net;
    } catch {
      // It takes a privilege that we need not have.
    }
    if (net === undefined) return '';
    if (net.host === true) return 'host';
    const { inode } = net;
    const owner = [...this.networks].find(([other, theirs]) => other !== id && theirs === inode)?.[0];
    this.networks.set(id, inode);
    return owner === undefined ? '' : `container:${owner}`;
  }

  private attempt(id: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.fault(error, this.containers.get(id));
    }
  }

  private fault(error: unknown, container: Container | undefined): void {
    this.options.sink.reportError(this.name, error, container);
  }
}

/** Where the start of each container's run is kept. */
const RUN = 'kernel/';

/** What only a daemon knows. */
const UNKNOWN = {
  restarts: undefined,
  exitCode: undefined,
  oomKilled: undefined,
  privileged: undefined,
  hostPid: false,
  status: 'running',
} as const;
