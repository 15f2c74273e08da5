/**
 * Parsers of the host's files in /proc.
 * Source: proc_stat(5), proc_diskstats(5), proc_mounts(5); https://docs.kernel.org/accounting/psi.html
 */

/** USER_HZ: clock ticks per second. */
const TICKS_PER_SECOND = 100;
/** /proc/diskstats counts in sectors of this size, whatever the device's own sectors are. */
const SECTOR_BYTES = 512;

/** Columns of the `cpu` line of /proc/stat, as values of the semantic conventions' cpu.mode. */
const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'interrupt', 'steal'];

/** Seconds by mode, and the number of CPUs. */
export function parseCpu(text: string): { modes: Map<string, number>; count: number } {
  const lines = text.split('\n');
  const modes = new Map<string, number>();
  const [, ...ticks] = (lines[0] ?? '').trim().split(/\s+/).map(Number);
  CPU_MODES.forEach((mode, index) => {
    const value = ticks[index];
    if (Number.isFinite(value)) modes.set(mode, (modes.get(mode) ?? 0) + value! / TICKS_PER_SECOND);
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

/** Devices of /proc/diskstats with at least one read or write. */
export function parseDiskstats(text: string): DiskCounters[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 10)
    .map((fields) => ({
      device: fields[2]!,
      reads: Number(fields[3]),
      readBytes: Number(fields[5]) * SECTOR_BYTES,
      writes: Number(fields[7]),
      writeBytes: Number(fields[9]) * SECTOR_BYTES,
    }))
    .filter(({ reads, writes }) => reads + writes > 0);
}

/**
 * Copies a string: V8 would keep the whole text in memory that the string is a part of, 100 kB for all
 * mounts.
 */
const copyOf = (part: string): string => Buffer.from(part).toString();

/** Mount points of block devices from the text of /proc/mounts, each device once. */
export function parseMounts(text: string): { device: string; point: string; type: string }[] {
  const seen = new Set<string>();
  return (
    text
      .split('\n')
      // Every container adds a mount that has no block device.
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

/** Total microseconds by line (`some`, `full`) of a file in /proc/pressure. */
export function parsePressure(text: string): Map<string, number> {
  return new Map(
    [...text.matchAll(/^(some|full) .*total=(\d+)$/gm)].map(([, line = '', total]) => [line, Number(total)]),
  );
}
