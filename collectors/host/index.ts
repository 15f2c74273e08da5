/** The host's own CPU, memory, disks, file systems and network, to compare containers with. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../catalogue/index.ts';
import type { Collector } from '../records/collector.ts';
import type { Attributes, Metric, Point, PointSink } from '../records/records.ts';
import { type KernelFile, type KernelFiles, kernelBuffer } from '../shared/kernel-file.ts';
import { parseMeminfo, parseNetDev } from '../shared/proc-files.ts';
import { parseCpu, parseDiskstats, parseMounts, parsePressure } from './proc-parsers.ts';

/** The space of file systems is read in every n-th round. */
const SPACE_EVERY = 6;

type AddPoint = (metric: Metric, value: number, attributes?: Attributes) => void;

export class HostCollector implements Collector {
  readonly name = 'host';
  private readonly procfs: string;
  private readonly rootfs: string;
  private readonly files: KernelFiles;
  /** By name in /proc; undefined for a file that this kernel does not have or the agent may not read. */
  private readonly opened = new Map<string, KernelFile | undefined>();
  private rounds = 0;
  /** Space of the file systems, as last read. */
  private space: readonly Point[] = [];

  /** @param rootfs where the host's / is */
  constructor(procfs: string, rootfs: string, files: KernelFiles) {
    this.procfs = procfs;
    this.rootfs = rootfs;
    this.files = files;
  }

  close(): void {
    for (const file of this.opened.values()) file?.close();
    this.opened.clear();
  }

  collectHost(points: PointSink): void {
    const add: AddPoint = (metric, value, attributes) => points.push({ metric, value, attributes });
    const { modes, count } = parseCpu(this.read('stat'));
    for (const [mode, value] of modes) add(catalogue.systemCpuTime, value, { 'cpu.mode': mode });
    add(catalogue.systemCpuCount, count);
    this.addMemory(add);
    this.addDisks(add);
    if (this.rounds++ % SPACE_EVERY === 0) this.space = this.readSpace();
    for (const point of this.space) points.push(point);
    this.addNetwork(add);
    for (const resource of ['cpu', 'memory', 'io']) {
      const lines = parsePressure(this.read(`pressure/${resource}`));
      for (const [stall, micros] of lines) {
        add(catalogue.systemPressure, micros / 1e6, {
          'system.pressure.resource': resource,
          'system.pressure.stall': stall,
        });
      }
    }
    const uptime = Number.parseFloat(this.read('uptime'));
    if (Number.isFinite(uptime)) add(catalogue.systemUptime, uptime);
  }

  private addMemory(add: AddPoint): void {
    const info = parseMeminfo(this.read('meminfo'));
    const total = info.get('MemTotal');
    if (total === undefined) return;
    add(catalogue.systemMemoryLimit, total);
    const free = info.get('MemFree') ?? 0;
    const cached = (info.get('Cached') ?? 0) + (info.get('SReclaimable') ?? 0);
    const buffers = info.get('Buffers') ?? 0;
    const states = { used: total - free - cached - buffers, free, cached, buffers };
    for (const [state, value] of Object.entries(states)) {
      add(catalogue.systemMemoryUsage, value, { 'system.memory.state': state });
    }
    const available = info.get('MemAvailable');
    if (available !== undefined) add(catalogue.systemMemoryAvailable, available);
  }

  private addDisks(add: AddPoint): void {
    const disks = parseDiskstats(this.read('diskstats'));
    for (const { device, readBytes, writeBytes } of disks) {
      add(catalogue.systemDiskIo, readBytes, { 'system.device': device, 'disk.io.direction': 'read' });
      add(catalogue.systemDiskIo, writeBytes, { 'system.device': device, 'disk.io.direction': 'write' });
    }
    for (const { device, reads, writes } of disks) {
      add(catalogue.systemDiskOperations, reads, { 'system.device': device, 'disk.io.direction': 'read' });
      add(catalogue.systemDiskOperations, writes, { 'system.device': device, 'disk.io.direction': 'write' });
    }
  }

  private readSpace(): Point[] {
    const points: Point[] = [];
    for (const { device, point, type } of parseMounts(this.read('1/mounts') || this.read('mounts'))) {
      let space: ReturnType<typeof statfsSync>;
      try {
        space = statfsSync(join(this.rootfs, point));
      } catch {
        continue;
      }
      const states = {
        used: space.blocks - space.bfree,
        free: space.bavail,
        reserved: space.bfree - space.bavail,
      };
      for (const [state, blocks] of Object.entries(states)) {
        const attributes = {
          'system.device': device,
          'system.filesystem.mountpoint': point,
          'system.filesystem.type': type,
          'system.filesystem.state': state,
        };
        points.push({ metric: catalogue.systemFilesystemUsage, value: blocks * space.bsize, attributes });
      }
    }
    return points;
  }

  private addNetwork(add: AddPoint): void {
    for (const { name, values } of parseNetDev(this.read('1/net/dev') || this.read('self/net/dev'))) {
      add(catalogue.systemNetworkIo, values[0]!, {
        'network.interface.name': name,
        'network.io.direction': 'receive',
      });
      add(catalogue.systemNetworkIo, values[8]!, {
        'network.interface.name': name,
        'network.io.direction': 'transmit',
      });
    }
  }

  /** The file's text; empty where it cannot be read. */
  private read(name: string): string {
    if (!this.opened.has(name)) this.opened.set(name, this.open(name));
    return kernelBuffer.toString('latin1', 0, this.opened.get(name)?.read() ?? 0);
  }

  private open(name: string): KernelFile | undefined {
    try {
      return this.files.open(join(this.procfs, name));
    } catch {
      return undefined;
    }
  }
}
