/** The host's own CPU, memory, disks, file systems and network, so that a container's use can be set against it. */

import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../catalogue/index.ts';
import type { Collector } from '../records/collector.ts';
import type { Attributes, Metric, Point, PointSink, UnixNano } from '../records/records.ts';
import { type KernelFile, type KernelFiles, kernelBuffer } from '../shared/kernel-file.ts';
import { parseMeminfo, parseNetDev } from '../shared/proc-files.ts';

/** The space of file systems is looked at in every so manieth round. */
const SPACE_EVERY = 6;
/** USER_HZ. */
const TICKS = 100;
/** /proc/diskstats counts in these, whatever the device's own sectors are. */
const SECTOR = 512;

/** Columns of the `cpu` line of /proc/stat, by the semantic conventions' cpu.mode. */
const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'interrupt', 'steal'];

/** Seconds by mode. */
export function parseCpu(text: string): { modes: Map<string, number>; count: number } {
  const lines = text.split('\n');
  const modes = new Map<string, number>();
  const [, ...ticks] = (lines[0] ?? '').trim().split(/\s+/).map(Number);
  CPU_MODES.forEach((mode, index) => {
    const value = ticks[index];
    if (Number.isFinite(value)) modes.set(mode, (modes.get(mode) ?? 0) + value! / TICKS);
  });
  return { modes, count: lines.filter((line) => /^cpu\d/.test(line)).length };
}

export interface DiskCounters {
  readonly device: string;
  readonly reads: number;
  readonly readBytes: number;
  readonly writes: number;
  readonly writeBytes: number;
}

/** Devices of /proc/diskstats that have done anything. */
export function parseDiskstats(text: string): DiskCounters[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 10)
    .map((fields) => ({
      device: fields[2]!,
      reads: Number(fields[3]),
      readBytes: Number(fields[5]) * SECTOR,
      writes: Number(fields[7]),
      writeBytes: Number(fields[9]) * SECTOR,
    }))
    .filter(({ reads, writes }) => reads + writes > 0);
}

/** A string that V8 does not keep as a part of the text that it was cut from: of all mounts, 100 kB. */
const copyOf = (part: string): string => Buffer.from(part).toString();

/** Mount points of block devices, each device once, from the text of /proc/mounts. */
export function parseMounts(text: string): { device: string; point: string; type: string }[] {
  const seen = new Set<string>();
  return (
    text
      .split('\n')
      // Of every container there is one that is of no device.
      .filter((line) => line.startsWith('/dev/'))
      .map((line) => line.split(' '))
      .filter(([device = '']) => !seen.has(device) && seen.add(device))
      .map(([device = '', point = '', type = '']) => ({
        device: copyOf(device),
        point: copyOf(point.replaceAll('\\040', ' ')),
        type: copyOf(type),
      }))
  );
}

/** Total microseconds by line of a file in /proc/pressure. */
export function parsePressure(text: string): Map<string, number> {
  return new Map(
    [...text.matchAll(/^(some|full) .*total=(\d+)$/gm)].map(([, line = '', total]) => [line, Number(total)]),
  );
}

/** When the host was started (`btime` of /proc/stat); 0n where that cannot be read. */
export function bootTime(procfs: string): UnixNano {
  try {
    const seconds = /^btime (\d+)$/m.exec(readFileSync(join(procfs, 'stat'), 'latin1'))?.[1];
    return BigInt(seconds ?? 0) * 1_000_000_000n;
  } catch {
    return 0n;
  }
}

export class HostCollector implements Collector {
  readonly name = 'host';
  private readonly procfs: string;
  private readonly rootfs: string;
  private readonly files: KernelFiles;
  /** By name in /proc; undefined for what this kernel does not have, or we may not see. */
  private readonly opened = new Map<string, KernelFile | undefined>();
  private rounds = 0;
  /** Space of the file systems, as it was last looked at. */
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
    const add = (metric: Metric, value: number, attributes?: Attributes) =>
      points.push({ metric, value, attributes });
    const { modes, count } = parseCpu(this.read('stat'));
    for (const [mode, value] of modes) add(catalogue.systemCpuTime, value, { 'cpu.mode': mode });
    add(catalogue.systemCpuCount, count);
    this.memory(add);
    this.disks(add);
    if (this.rounds++ % SPACE_EVERY === 0) this.space = this.fileSystems();
    for (const point of this.space) points.push(point);
    this.network(add);
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

  private memory(add: (metric: Metric, value: number, attributes?: Attributes) => void): void {
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

  private disks(add: (metric: Metric, value: number, attributes?: Attributes) => void): void {
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

  private fileSystems(): Point[] {
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

  private network(add: (metric: Metric, value: number, attributes?: Attributes) => void): void {
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

  /** The file's text; nothing where there is no such file for us. */
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
