/**
 * Finds containers without a daemon, by their processes in /proc: the agent needs the host's pid namespace for it. It
 * scans /proc once a second. What only the daemon knows (names, labels, exit codes, logs) is read from the daemon's
 * files where its directory of containers is mounted, and is absent elsewhere.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerListener } from '../lifecycle/container-listener.ts';
import { fromInspect } from '../lifecycle/identity.ts';
import { LifecycleReporter, type LifecycleReporterOptions } from '../lifecycle/lifecycle-reporter.ts';
import { missedEvents } from '../lifecycle/missed-events.ts';
import type { RecordSink } from '../records/collector.ts';
import { type Container, unixNow } from '../records/records.ts';
import type { KernelFiles } from '../shared/kernel-file.ts';
import { TimeSlice } from '../shared/time-slice.ts';
import { ContainerDescriber, type ContainerDescriberOptions } from './container-describer.ts';
import { DaemonFiles } from './daemon-files.ts';
import { type Init, ProcessTable } from './process-table.ts';

const SCAN_MS = 1000;
/** How long an exit waits for the last lines of the container's log, and for exporters. */
const LAST_LINES_MS = 250;
/** How many scans an exit waits for the daemon to write down how the container exited. */
const MAX_WAITING_SCANS = 3;
/** How long an exited container is remembered where nothing shows whether it still exists. */
const REMEMBERED_MS = 600_000;

export interface KernelOptions extends LifecycleReporterOptions, ContainerDescriberOptions {
  readonly files: KernelFiles;
  /** Where the / of the host is mounted. */
  readonly rootfs: string;
  /** Whether a container is observed. */
  readonly selects: (container: Container) => boolean;
  readonly sink: RecordSink;
  readonly lifecycle: ContainerListener;
}

/** A container that ran in an earlier scan, or that an earlier agent reported. */
interface KnownContainer {
  readonly container: Container;
  /** Its first process; undefined once that has ended. */
  init: Init | undefined;
  /** When the daemon's file was last written, as of the last read. */
  writtenAt: number;
  /** For how many scans its exit has waited to be reported. */
  waitingScans: number;
  /** When its exit was reported, ms since the epoch; 0 before. */
  endedAt: number;
}

export class KernelCollector {
  readonly name = 'kernel';
  /** Whether /proc was scanned. */
  connected = false;
  readonly containers = new Map<string, Container>();
  private readonly options: KernelOptions;
  private readonly reporter: LifecycleReporter;
  private readonly table: ProcessTable;
  private readonly daemonFiles: DaemonFiles;
  private readonly describer: ContainerDescriber;
  private readonly known = new Map<string, KnownContainer>();
  private readonly ignored = new Set<string>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  /** @throws when /proc cannot be read */
  constructor(options: KernelOptions) {
    this.options = options;
    this.reporter = new LifecycleReporter(options);
    this.table = new ProcessTable(options.procfs, (path) => options.files.open(path));
    this.daemonFiles = new DaemonFiles(options.rootfs);
    this.describer = new ContainerDescriber(options, this.daemonFiles);
  }

  /** @param onReady called once, when the running containers are known */
  start(onReady: () => void): void {
    this.loop = this.run(onReady);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    this.table.close();
  }

  /** Whether the container is known, running or remembered. */
  exists(id: string): boolean {
    return this.known.has(id) || this.ignored.has(id);
  }

  private async run(onReady: () => void): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.scan();
        if (!this.connected) {
          this.connected = true;
          this.reporter.keepBaseline();
          onReady();
        }
      } catch (error) {
        this.options.sink.reportError(this.name, error);
      }
      await sleep(SCAN_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async scan(): Promise<void> {
    const found = this.table.scan();
    if (!this.connected)
      for (const id of [...this.reporter.reportedIds()]) if (!found.has(id)) this.restoreExited(id);
    for (const id of this.ignored) if (!found.has(id)) this.ignored.delete(id);
    const areFilesReadable = this.daemonFiles.isReadable;
    // The oldest comes first, so that a network's owner is known before those that share the network.
    const slice = new TimeSlice();
    for (const [id, init] of found) {
      if (slice.isOver) await slice.yieldToEventLoop();
      this.attempt(id, () => this.handleRunning(id, init, areFilesReadable));
    }
    const absent = [...this.known.values()].filter(({ container }) => !found.has(container.id));
    const showsRemoval = absent.length > 0 && areFilesReadable;
    await Promise.all(
      absent.map((known) =>
        this.handleAbsent(known, showsRemoval).catch((error) => this.reportError(error, known.container)),
      ),
    );
  }

  private handleRunning(id: string, init: Init, areFilesReadable: boolean): void {
    const { lifecycle, selects } = this.options;
    if (this.ignored.has(id)) return;
    const known = this.known.get(id);
    const writtenAt = areFilesReadable ? this.daemonFiles.writtenAt(id) : 0;
    const isSameRun = known?.init?.pid === init.pid && known.init.ticks === init.ticks;
    if (known !== undefined && isSameRun && known.writtenAt === writtenAt) return;
    const fresh = this.describer.describeRunning(init);
    if (known === undefined && !selects(fresh)) {
      this.ignored.add(id);
      this.reporter.forgetContainer(id);
      return;
    }
    const container = Object.assign(known?.container ?? fresh, fresh);
    const onError = (error: unknown) => this.reportError(error, container);
    // The container exited and started between two scans.
    if (known?.init !== undefined && !isSameRun)
      lifecycle.containerStopped({ ...container, pid: 0 }).catch(onError);
    this.known.set(id, { container, init, writtenAt, waitingScans: 0, endedAt: 0 });
    this.containers.set(id, container);
    // Before the first scan of all, containers that run were not reported, and are not new.
    if (!this.reporter.hasBaseline && this.reporter.stateOf(id) === undefined)
      this.reporter.adoptContainer(container);
    lifecycle.containerStarted(container);
    if (isSameRun) lifecycle.containerChanged(container);
    this.reportMissed(container, container).catch(onError);
  }

  /**
   * A known container does not run.
   * @param showsRemoval whether the daemon's files show if it still exists
   */
  private async handleAbsent(known: KnownContainer, showsRemoval: boolean): Promise<void> {
    const { container } = known;
    if (known.endedAt === 0) {
      await this.handleExit(known);
      return;
    }
    const isRemembered = Date.now() - known.endedAt < REMEMBERED_MS;
    if (showsRemoval ? this.daemonFiles.has(container.id) : isRemembered) return;
    if (showsRemoval) await this.reportMissed(container, undefined);
    this.forgetContainer(container);
  }

  private async handleExit(known: KnownContainer): Promise<void> {
    const { container } = known;
    const inspect = this.daemonFiles.inspect(container.id);
    const isExitWritten = inspect !== undefined && (!inspect.State.Running || inspect.State.Pid === 0);
    // The daemon can be about to write it. It writes nothing of a container that no longer exists.
    if (inspect !== undefined && !isExitWritten && ++known.waitingScans < MAX_WAITING_SCANS) return;
    known.init = undefined;
    known.endedAt = Date.now();
    known.writtenAt = this.daemonFiles.writtenAt(container.id);
    this.describer.forgetNetwork(container.id);
    const end = isExitWritten ? fromInspect(inspect, undefined, {}) : undefined;
    Object.assign(container, {
      pid: 0,
      status: end?.status ?? 'exited',
      health: undefined,
      exitCode: end?.exitCode,
      oomKilled: end?.oomKilled,
      finishedAt: end !== undefined && end.finishedAt > container.startedAt ? end.finishedAt : 0n,
    });
    const onError = (error: unknown) => this.reportError(error, container);
    const logRead = this.options.lifecycle.containerStopped(container).catch(onError);
    await Promise.race([logRead, sleep(LAST_LINES_MS, undefined, { ref: false })]);
    await this.reportMissed(container, container);
  }

  /** A container that an earlier agent reported, and that does not run. */
  private restoreExited(id: string): void {
    const container = this.describer.describeExited(id, this.reporter.stateOf(id)!);
    this.known.set(id, {
      container,
      init: undefined,
      writtenAt: 0,
      waitingScans: MAX_WAITING_SCANS,
      endedAt: 0,
    });
    this.containers.set(id, container);
    // Its log can have lines that were not read.
    if (this.daemonFiles.inspect(id) !== undefined) this.options.lifecycle.containerStarted(container);
  }

  private forgetContainer(container: Container): void {
    const { id } = container;
    this.known.delete(id);
    this.containers.delete(id);
    this.reporter.forgetContainer(id);
    this.describer.forgetContainer(id);
    this.options.lifecycle.containerRemoved(container);
  }

  /**
   * Reports the difference between what was reported and what was found.
   * @param found undefined if the container no longer exists
   */
  private async reportMissed(container: Container, found: Container | undefined): Promise<void> {
    const { id, createdAt } = container;
    const missed = missedEvents(id, this.reporter.stateOf(id), found, unixNow());
    // Without the daemon's files, the time of the creation is unknown: nothing is reported then.
    const events = missed.filter(({ Action }) => Action !== 'create' || createdAt !== 0n);
    const accepted = this.reporter.reportConcluded(container, events);
    await Promise.race([accepted, sleep(LAST_LINES_MS, undefined, { ref: false })]);
  }

  private attempt(id: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.reportError(error, this.containers.get(id));
    }
  }

  private reportError(error: unknown, container: Container | undefined): void {
    this.options.sink.reportError(this.name, error, container);
  }
}
