/**
 * Disk use as the daemon knows it. The daemon walks its disks for an answer, so the collector requests one at
 * a long interval, with a time budget, and reports the last answer until the next one.
 * Source: GET /system/df.
 */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { catalogue } from '../../catalogue/index.ts';
import type { Collector, RecordSink } from '../../records/collector.ts';
import type { Container, Point, PointSink } from '../../records/records.ts';
import { errorMessage } from '../../shared/error-message.ts';
import { containerPoints, type DiskUsage, daemonPoints } from './disk-usage.ts';

const TIME_BUDGET_MS = 60_000;
/** Docker 20.10 answers one such request at a time, and refuses a second one. */
const IS_BUSY = /a disk usage operation is already running/;
/**
 * Base of the wait before a busy daemon is asked again. Jitter up to the same time keeps two clients apart.
 */
const BUSY_RETRY_MS = 2000;

interface Space {
  readonly capacity: number;
  readonly available: number;
}

export interface StorageOptions {
  readonly intervalMs: number;
  /** Where the / of the daemon's host is; undefined where it is not visible from here. */
  readonly rootfs: string | undefined;
}

export class StorageCollector implements Collector {
  readonly name = 'storage';
  private readonly docker: Docker;
  private readonly sink: RecordSink;
  private readonly rootfs: string | undefined;
  private readonly timer: NodeJS.Timeout;
  private retryTimer: NodeJS.Timeout | undefined;
  private readonly stopping = new AbortController();
  private daemon: readonly Point[] = [];
  private containers: ReadonlyMap<string, readonly Point[]> = new Map();
  private space: Space | undefined;

  constructor(docker: Docker, sink: RecordSink, { intervalMs, rootfs }: StorageOptions) {
    this.docker = docker;
    this.sink = sink;
    this.rootfs = rootfs;
    this.timer = setInterval(() => void this.refresh(), intervalMs);
  }

  /** Requests disk use now. After an error the last answer stays in use. */
  async refresh(): Promise<void> {
    try {
      const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIME_BUDGET_MS)]);
      const startedAt = performance.now();
      const info = await this.docker.info();
      const latency = (performance.now() - startedAt) / 1000;
      this.space =
        this.rootfs === undefined ? undefined : await readSpace(join(this.rootfs, info.DockerRootDir));
      const usage: unknown = await this.docker.df({ abortSignal: signal } as never);
      this.daemon = [
        ...daemonPoints(usage as DiskUsage),
        { metric: catalogue.daemonApiLatency, value: latency },
      ];
      this.containers = containerPoints(usage as DiskUsage);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      if (!IS_BUSY.test(errorMessage(error))) this.sink.reportError(this.name, error);
      else this.retryTimer = setTimeout(() => void this.refresh(), BUSY_RETRY_MS * (1 + Math.random()));
    }
  }

  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.retryTimer);
    this.stopping.abort();
  }

  collectContainer(container: Container, points: PointSink): void {
    const known = this.containers.get(container.id);
    if (known === undefined) return;
    for (const point of known) points.push(point);
    if (this.space === undefined) return;
    points.push({ metric: catalogue.filesystemCapacity, value: this.space.capacity });
    points.push({ metric: catalogue.filesystemAvailable, value: this.space.available });
  }

  collectHost(points: PointSink): void {
    for (const point of this.daemon) points.push(point);
  }
}

/** Space on the file system of a directory; undefined where the directory is not visible from here. */
async function readSpace(directory: string): Promise<Space | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(directory);
    return { capacity: blocks * bsize, available: bavail * bsize };
  } catch {
    return undefined;
  }
}
