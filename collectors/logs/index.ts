/** Follows the log of every container, and resumes where it stopped. */
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

const MAX_CLOSE_MS = 500;
const NAME_CHECK_MS = 5000;

/** Where to start in the log of a container that ran before the agent first saw it: a time, or the end. */
export type FirstSight = { readonly sinceSeconds: number } | 'now';

export interface LogOptions {
  /** Undefined where there is no daemon; then only files are read. */
  readonly docker: Docker | undefined;
  readonly sink: RecordSink;
  readonly positions: LogPositionStore;
  readonly firstSight: FirstSight;
  /** Where the root of the daemon's host is mounted; undefined where it cannot be seen from here. */
  readonly rootfs: string | undefined;
  /** The container that the agent itself runs in; its log is not read. */
  readonly ownId: string | undefined;
  /** Called when a container was removed and its log has ended. */
  readonly onRemoved: (container: Container) => void;
}

interface FollowedLog {
  readonly follower: Follower;
  /** Emits at once all lines that are there, if that is possible; returns whether it was. */
  readonly readToEnd: () => boolean;
  /** Whether the next start was announced, and is followed already. */
  isStartAnticipated: boolean;
  /** Whether the container was started again since it ended. */
  hasRestarted: boolean;
}

export class LogCollector implements Collector {
  readonly name = 'logs';
  private readonly options: LogOptions;
  private readonly agentStartSeconds = Math.floor(Date.now() / 1000);
  private readonly scheduler: TailScheduler;
  private readonly paths = new LogPaths();
  private readonly earlyFiles = new EarlyFiles();
  private readonly followed = new Map<string, FollowedLog>();
  /** How far logs were read that are not followed now. The stored position may be behind it. */
  private readonly lastPositions = new Map<string, LogPosition>();

  constructor(options: LogOptions) {
    this.options = options;
    this.scheduler = new TailScheduler((error) => options.sink.reportError(this.name, error));
    if (options.rootfs !== undefined && options.docker !== undefined)
      void this.readDockerRoot(options.docker);
  }

  anticipateContainer(id: string, container: Container | undefined): void {
    if (container === undefined) {
      const { rootfs } = this.options;
      const path = this.paths.pathOf({ id, logPath: '' });
      if (rootfs !== undefined && path !== '') this.earlyFiles.open(id, join(rootfs, path));
      return;
    }
    if (id === this.options.ownId) return;
    // The description is older than the start.
    const known = this.followed.get(id);
    if (known === undefined) {
      // A line that is read through the API now and from its file later would have two uids.
      const isInFile = container.logDriver === 'json-file' && this.options.rootfs !== undefined;
      if (!isInFile || this.paths.pathOf(container) !== '') this.startFollowing(container, true);
    } else {
      known.hasRestarted = true;
      known.follower.containerStarted();
    }
    const followed = this.followed.get(id);
    if (followed !== undefined) followed.isStartAnticipated = true;
  }

  attachContainer(container: Container): void {
    // Reading the agent's own log would produce more of it.
    if (container.id === this.options.ownId) return;
    this.paths.addPathOf(container);
    const known = this.followed.get(container.id);
    if (known === undefined) {
      this.startFollowing(container, container.pid !== 0 || container.startedAt === 0n);
      return;
    }
    // A start that was announced is the same start.
    if (!known.isStartAnticipated) {
      known.hasRestarted = true;
      known.follower.containerStarted();
    }
    known.isStartAnticipated = false;
  }

  detachContainer(container: Container): Promise<void> | undefined {
    const followed = this.followed.get(container.id);
    if (followed === undefined) return undefined;
    followed.hasRestarted = false;
    followed.follower.containerEnded(false);
    return followed.readToEnd() ? undefined : followed.follower.finished;
  }

  removeContainer(container: Container): void {
    const forget = () => {
      this.lastPositions.delete(container.id);
      this.options.positions.forget(container);
      this.options.onRemoved(container);
    };
    const followed = this.followed.get(container.id);
    if (followed === undefined) {
      forget();
      return;
    }
    followed.hasRestarted = false;
    followed.follower.containerEnded(true);
    void followed.follower.finished.then(forget);
  }

  async close(): Promise<void> {
    this.earlyFiles.close();
    const all = [...this.followed.values()].map(({ follower }) => follower.close());
    // A daemon that does not answer must not delay the end.
    await Promise.race([
      Promise.all([this.scheduler.close(), ...all]),
      sleep(MAX_CLOSE_MS, undefined, { ref: false }),
    ]);
  }

  /** Only Docker keeps logs below that directory. Other engines' paths follow from those of their containers. */
  private async readDockerRoot(docker: Docker): Promise<void> {
    try {
      const [{ DockerRootDir }, { Components = [] }] = await Promise.all([docker.info(), docker.version()]);
      if (Components.some(({ Name }) => Name === 'Engine')) this.paths.setRoot(DockerRootDir);
    } catch {
      // The daemon is away. The paths follow from its containers later.
    }
  }

  /** @param isRunning whether more will be written than what is there */
  private startFollowing(container: Container, isRunning: boolean): void {
    const { sink, positions, docker, rootfs } = this.options;
    const source = docker === undefined ? findLogSource(container, rootfs) : undefined;
    if (source?.kind === 'api') {
      // Without a description, the reason holds for all containers, and was reported for all.
      const error = new Error(`Cannot read the log: no file (${source.why}), and no daemon to ask`);
      if (container.logDriver !== '') sink.reportError(this.name, error, container);
      return;
    }
    const kept = this.lastPositions.get(container.id) ?? positions.load(container.id);
    const position = kept ?? startPosition();
    const lines = sink.openLog(container, position, positions);
    if (lines === undefined) return;
    const follower = this.createFollower(container, position, lines, kept === undefined, isRunning);
    const readToEnd = () => {
      const isDone = follower instanceof FileTail && this.scheduler.readToEnd(follower);
      lines.flush();
      return isDone;
    };
    const followed: FollowedLog = { follower, readToEnd, isStartAnticipated: false, hasRestarted: false };
    this.followed.set(container.id, followed);
    void follower.finished.then(() => {
      this.followed.delete(container.id);
      this.lastPositions.set(container.id, position);
      // It started again between the end of the log and now.
      if (followed.hasRestarted) this.startFollowing(container, true);
    });
  }

  private createFollower(
    container: Container,
    position: LogPosition,
    sink: LogSink,
    isNew: boolean,
    isRunning: boolean,
  ): Follower {
    const { docker, rootfs, firstSight } = this.options;
    const onError = (error: unknown) => this.options.sink.reportError(this.name, error, container);
    const ranBefore =
      container.startedAt !== 0n && Number(container.startedAt / 1_000_000_000n) < this.agentStartSeconds;
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
        onTruncated: () =>
          onError(new Error(`${path} was emptied: lines that were not read before are lost`)),
      });
      // The start is stored before there is a line, so that an agent that is killed starts there again.
      if (fromEnd) void tail.opened.then(() => this.options.positions.save(container, position));
      this.scheduler.add(tail, sink);
      if (!isRunning) tail.containerEnded(false);
      return tail;
    }
    if (fromEnd) {
      position.seconds = this.agentStartSeconds;
      this.options.positions.save(container, position);
    }
    return new ApiFollower({ docker: docker!, container, sink, position, onError });
  }
}
