/**
 * Disk use as the daemon knows it. Asking makes the daemon walk its disks, so it is asked on an interval of
 * its own, given only so much time, and what it said last is reported until then.
 * Source: GET /system/df.
 */

import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { catalogue } from '../catalogue/index.ts';
import type { Collector, RecordSink } from '../records/collector.ts';
import type { Attributes, Container, Metric, Point, PointSink } from '../records/records.ts';
import { errorMessage } from '../shared/error-message.ts';

const TIME_BUDGET_MS = 60_000;
/** Docker 20.10 answers one such question at a time, and refuses a second one. */
const IS_BUSY = /a disk usage operation is already running/;
/** After so long it is asked again, and as long again by chance: whoever asked may do so as often. */
const BUSY_MS = 2000;

interface DiskUse {
  readonly LayersSize?: number;
  readonly Images?: readonly { readonly RepoTags: readonly string[] | null }[] | null;
  readonly Containers?:
    | readonly { readonly Id: string; readonly SizeRw?: number; readonly SizeRootFs?: number }[]
    | null;
  readonly Volumes?:
    | readonly {
        readonly Name: string;
        readonly UsageData?: { readonly Size: number; readonly RefCount: number };
      }[]
    | null;
  readonly BuildCache?: readonly { readonly Size: number }[] | null;
}

interface Space {
  readonly capacity: number;
  readonly available: number;
}

export interface StorageOptions {
  readonly intervalMs: number;
  /** Where the / of the daemon's host is; undefined where it cannot be seen from here. */
  readonly rootfs: string | undefined;
}

export class StorageCollector implements Collector {
  readonly name = 'storage';
  private readonly docker: Docker;
  private readonly sink: RecordSink;
  private readonly rootfs: string | undefined;
  private readonly timer: NodeJS.Timeout;
  private again: NodeJS.Timeout | undefined;
  private readonly stopping = new AbortController();
  private host: Point[] = [];
  private containers = new Map<string, Point[]>();
  private space: Space | undefined;

  constructor(docker: Docker, sink: RecordSink, { intervalMs, rootfs }: StorageOptions) {
    this.docker = docker;
    this.sink = sink;
    this.rootfs = rootfs;
    this.timer = setInterval(() => void this.ask(), intervalMs);
  }

  /** Asks the daemon now; a fault leaves the last answer standing. */
  async ask(): Promise<void> {
    try {
      const budget = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIME_BUDGET_MS)]);
      const begun = performance.now();
      const info = await this.docker.info();
      const latency = (performance.now() - begun) / 1000;
      this.space =
        this.rootfs === undefined ? undefined : await spaceOf(join(this.rootfs, info.DockerRootDir));
      const use: unknown = await this.docker.df({ abortSignal: budget } as never);
      this.take(use as DiskUse, latency);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      if (!IS_BUSY.test(errorMessage(error))) this.sink.reportError(this.name, error);
      else this.again = setTimeout(() => void this.ask(), BUSY_MS * (1 + Math.random()));
    }
  }

  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.again);
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
    for (const point of this.host) points.push(point);
  }

  private take(use: DiskUse, latency: number): void {
    const points: Point[] = [];
    const add = (metric: Metric, value: number | undefined, attributes?: Attributes) => {
      if (value !== undefined && value >= 0) points.push({ metric, value, attributes });
    };
    const images = use.Images ?? [];
    const dangling = images.filter(
      ({ RepoTags }) => !RepoTags?.length || RepoTags[0] === '<none>:<none>',
    ).length;
    add(catalogue.daemonImages, images.length - dangling, { 'docker.image.dangling': false });
    add(catalogue.daemonImages, dangling, { 'docker.image.dangling': true });
    add(catalogue.daemonImageSize, use.LayersSize);
    const volumes = use.Volumes ?? [];
    const unused = volumes.filter(({ UsageData }) => UsageData?.RefCount === 0).length;
    add(catalogue.daemonVolumes, volumes.length - unused, { 'docker.volume.used': true });
    add(catalogue.daemonVolumes, unused, { 'docker.volume.used': false });
    for (const { Name, UsageData } of volumes)
      add(catalogue.daemonVolumeSize, UsageData?.Size, { 'docker.volume.name': Name });
    add(
      catalogue.daemonBuildCache,
      (use.BuildCache ?? []).reduce((sum, { Size }) => sum + Size, 0),
    );
    add(catalogue.daemonApiLatency, latency);
    this.host = points;
    this.containers = new Map(
      (use.Containers ?? []).map(({ Id, SizeRw = 0, SizeRootFs }) => {
        // The daemon leaves out a size of 0.
        const own: Point[] = [{ metric: catalogue.filesystemUsage, value: SizeRw }];
        if (SizeRootFs !== undefined) own.push({ metric: catalogue.filesystemRoot, value: SizeRootFs });
        return [Id, own];
      }),
    );
  }
}

/** Space on the file system of a directory; undefined where it cannot be seen from here. */
async function spaceOf(directory: string): Promise<Space | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(directory);
    return { capacity: blocks * bsize, available: bavail * bsize };
  } catch {
    return undefined;
  }
}
