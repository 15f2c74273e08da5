/** Follows the log of every container from where it was left. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Collector, LogSink, RecordSink } from '../records/collector.ts';
import type { Container, LogPosition } from '../records/records.ts';
import { ApiFollower } from './api/follower.ts';
import { EarlyFiles } from './files/early-files.ts';
import { TailScheduler } from './files/scheduler.ts';
import { FileTail } from './files/tail.ts';
import type { LogPositionStore } from './position-store.ts';
import type { Follower } from './shared/follower.ts';
import { startPosition } from './shared/position.ts';
import { findLogSource, LogPaths, type LogSource } from './source.ts';

const STOP_MS = 500;
const NAME_CHECK_MS = 5000;

/** Where to begin with a container that was running before the agent first saw it: a moment, or the end. */
export type FirstSight = { readonly sinceSeconds: number } | 'now';

export interface LogOptions {
  /** Undefined where there is no daemon: then only files are read. */
  readonly docker: Docker | undefined;
  readonly sink: RecordSink;
  readonly positions: LogPositionStore;
  readonly firstSight: FirstSight;
  /** Where the / of the daemon's host is; undefined where it cannot be seen from here. */
  readonly rootfs: string | undefined;
  /** The container that the agent itself runs in, if it does: its log is left alone. */
  readonly ownId: string | undefined;
  /** Called when a container was removed and its log has ended. */
  readonly onRemoved: (container: Container) => void;
}

interface Followed {
  readonly follower: Follower;
  /** Hands over at once all that there is, where that can be done; whether it was. */
  readonly hurry: () => boolean;
  /** Whether the start that comes next is being followed already. */
  anticipated: boolean;
  /** Whether it was started again since it ended. */
  restarted: boolean;
}

export class LogCollector implements Collector {
  readonly name = 'logs';
  private readonly options: LogOptions;
  private readonly agentStarted = Math.floor(Date.now() / 1000);
  private readonly tailer: TailScheduler;
  private readonly paths = new LogPaths();
  private readonly earlyFiles = new EarlyFiles();
  private readonly followed = new Map<string, Followed>();
  /** How far logs were read that nobody follows now: what is kept may be behind it still. */
  private readonly reached = new Map<string, LogPosition>();

  constructor(options: LogOptions) {
    this.options = options;
    this.tailer = new TailScheduler((error) => options.sink.reportError(this.name, error));
    if (options.rootfs !== undefined && options.docker !== undefined) void this.learnRoot(options.docker);
  }

  anticipateContainer(id: string, container: Container | undefined): void {
    if (container === undefined) {
      const { rootfs } = this.options;
      const path = this.paths.pathOf({ id, logPath: '' });
      if (rootfs !== undefined && path !== '') this.earlyFiles.open(id, join(rootfs, path));
      return;
    }
    if (id === this.options.ownId) return;
    // What is known of it is older than its start.
    const known = this.followed.get(id);
    if (known === undefined) {
      // Read through the API now and from its file later, a line would have two uids.
      const isInFile = container.logDriver === 'json-file' && this.options.rootfs !== undefined;
      if (!isInFile || this.paths.pathOf(container) !== '') this.begin(container, true);
    } else {
      known.restarted = true;
      known.follower.containerStarted();
    }
    const followed = this.followed.get(id);
    if (followed !== undefined) followed.anticipated = true;
  }

  attachContainer(container: Container): void {
    // The agent's own output would come round and round.
    if (container.id === this.options.ownId) return;
    this.paths.addPathOf(container);
    const known = this.followed.get(container.id);
    if (known === undefined) {
      this.begin(container, container.pid !== 0 || container.startedAt === 0n);
      return;
    }
    // A start that was anticipated is no other start.
    if (!known.anticipated) {
      known.restarted = true;
      known.follower.containerStarted();
    }
    known.anticipated = false;
  }

  detachContainer(container: Container): Promise<void> | undefined {
    const followed = this.followed.get(container.id);
    if (followed === undefined) return undefined;
    followed.restarted = false;
    followed.follower.containerEnded(false);
    return followed.hurry() ? undefined : followed.follower.finished;
  }

  removeContainer(container: Container): void {
    const forget = () => {
      this.reached.delete(container.id);
      this.options.positions.forget(container);
      this.options.onRemoved(container);
    };
    const followed = this.followed.get(container.id);
    if (followed === undefined) {
      forget();
      return;
    }
    followed.restarted = false;
    followed.follower.containerEnded(true);
    void followed.follower.finished.then(forget);
  }

  async close(): Promise<void> {
    this.earlyFiles.close();
    const all = [...this.followed.values()].map(({ follower }) => follower.close());
    // A daemon that does not answer must not keep us.
    await Promise.race([
      Promise.all([this.tailer.close(), ...all]),
      sleep(STOP_MS, undefined, { ref: false }),
    ]);
  }

  /** Only Docker has its containers' logs there; of others' paths those of containers tell. */
  private async learnRoot(docker: Docker): Promise<void> {
    try {
      const [{ DockerRootDir }, { Components = [] }] = await Promise.all([docker.info(), docker.version()]);
      if (Components.some(({ Name }) => Name === 'Engine')) this.paths.setRoot(DockerRootDir);
    } catch {
      // A daemon that is away is no fault of the logs; its containers tell their paths later.
    }
  }

  /** @param isRunning whether more is to come than what is there already */
  private begin(container: Container, isRunning: boolean): void {
    const { sink, positions, docker, rootfs } = this.options;
    const source = docker === undefined ? findLogSource(container, rootfs) : undefined;
    if (source?.kind === 'api') {
      // Of one that nobody has described, that was said of all.
      const error = new Error(`no daemon is asked for its log, and no file of it is read: ${source.why}`);
      if (container.logDriver !== '') sink.reportError(this.name, error, container);
      return;
    }
    const kept = this.reached.get(container.id) ?? positions.load(container.id);
    const position = kept ?? startPosition();
    const lines = sink.openLog(container, position, positions);
    if (lines === undefined) return;
    const follower = this.follow(container, position, lines, kept === undefined, isRunning);
    const hurry = () => {
      const isDone = follower instanceof FileTail && this.tailer.readToEnd(follower);
      lines.flush();
      return isDone;
    };
    const followed: Followed = { follower, hurry, anticipated: false, restarted: false };
    this.followed.set(container.id, followed);
    void follower.finished.then(() => {
      this.followed.delete(container.id);
      this.reached.set(container.id, position);
      // It started once more in the moment between the log's end and now.
      if (followed.restarted) this.begin(container, true);
    });
  }

  private follow(
    container: Container,
    position: LogPosition,
    sink: LogSink,
    isNew: boolean,
    isRunning: boolean,
  ): Follower {
    const { docker, rootfs, firstSight } = this.options;
    const onError = (error: unknown) => this.options.sink.reportError(this.name, error, container);
    const ranBefore =
      container.startedAt !== 0n && Number(container.startedAt / 1_000_000_000n) < this.agentStarted;
    const fromEnd = isNew && ranBefore && firstSight === 'now';
    if (isNew && ranBefore && firstSight !== 'now') position.seconds = firstSight.sinceSeconds;
    const logPath = this.paths.pathOf(container);
    const earlyDescriptor = this.earlyFiles.claim(container.id);
    const source: LogSource =
      earlyDescriptor === undefined
        ? findLogSource({ ...container, logPath }, rootfs)
        : { kind: 'file', path: join(rootfs!, logPath) };
    if (source.kind === 'file') {
      const { path } = source;
      const tail = new FileTail({
        path,
        sink,
        position,
        fromEnd,
        earlyDescriptor,
        tty: container.tty,
        maxFileBytes: container.logMaxSize,
        nameCheckMs: NAME_CHECK_MS,
        onError,
        onTruncated: () => onError(new Error(`${path} was emptied: what was not read before is lost`)),
      });
      // Where it begins is kept before there is a line: an agent that is killed begins there again.
      if (fromEnd) void tail.opened.then(() => this.options.positions.save(container, position));
      this.tailer.add(tail, sink);
      if (!isRunning) tail.containerEnded(false);
      return tail;
    }
    if (fromEnd) {
      position.seconds = this.agentStarted;
      this.options.positions.save(container, position);
    }
    return new ApiFollower({ docker: docker!, container, sink, position, onError });
  }
}
