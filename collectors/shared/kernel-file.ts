/**
 * Files of /proc and the cgroup file systems that are read again and again. Reading an open descriptor costs
 * a tenth of opening the file each time. Descriptors are limited: beyond a budget, files are opened for each
 * read.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Descriptors that the budget leaves to the rest of the process: sockets, the database, logs. */
const RESERVED = 512;
/** Larger than any file that is read this way. */
const BUFFER_BYTES = 256 * 1024;

/** Holds the bytes of the last read; valid until the next read of any file. */
export const kernelBuffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** The soft limit of open files in a /proc/<pid>/limits (proc_pid_limits(5)); infinite if unlimited. */
export function descriptorLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * The kernel returns a long file about a page at a time, cut between two records: after a read of at least
 * this length, more may follow.
 */
const MAYBE_MORE_BYTES = 2048;

function readAll(descriptor: number): number {
  let length = readSync(descriptor, kernelBuffer, 0, BUFFER_BYTES, 0);
  for (let more = length < MAYBE_MORE_BYTES ? 0 : 1; more > 0 && length < BUFFER_BYTES; length += more) {
    more = readSync(descriptor, kernelBuffer, length, BUFFER_BYTES - length, length);
  }
  return length;
}

function openAndRead(path: string): number {
  const descriptor = openSync(path, 'r');
  try {
    return readAll(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The text of a file that is read now and then. readFileSync would allocate 8 KiB for each read, however
 * short the file.
 * @throws on any error
 */
export const readSmallFile = (path: string): string => kernelBuffer.toString('latin1', 0, openAndRead(path));

export class KernelFile {
  /**
   * Empty for a file that stays open: 20,000 paths of a thousand containers would cost memory for nothing.
   */
  private readonly path: string;
  /** -1 for a file that is opened for each read, and for a closed one. */
  private descriptor: number;
  /** The budget that the descriptor counts against. */
  private readonly files: KernelFiles | undefined;

  private constructor(path: string, descriptor: number, files: KernelFiles | undefined) {
    this.path = path;
    this.descriptor = descriptor;
    this.files = files;
  }

  /** A file that is opened for each read. */
  static openedForEachRead(path: string): KernelFile {
    return new KernelFile(path, -1, undefined);
  }

  /** A file that stays open. */
  static keptOpen(descriptor: number, files: KernelFiles): KernelFile {
    return new KernelFile('', descriptor, files);
  }

  /**
   * Reads the file from its start into `buffer`.
   * @returns the number of bytes; 0 where the file has vanished, or is disabled, as pressure files can be
   * @throws on any other error
   */
  read(): number {
    try {
      return this.descriptor === -1 ? openAndRead(this.path) : readAll(this.descriptor);
    } catch (error) {
      if (['ENODEV', 'ENOENT', 'ESRCH', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return 0;
      throw error;
    }
  }

  close(): void {
    if (this.descriptor === -1) return;
    closeSync(this.descriptor);
    this.descriptor = -1;
    this.files?.releaseDescriptor();
  }
}

/** Opens kernel files within a budget of descriptors. */
export class KernelFiles {
  private readonly budget: number;
  private readonly onExhausted: () => void;
  private openCount = 0;
  private isExhaustionReported = false;

  /**
   * @param limit descriptors that the process may have open
   * @param onExhausted called once, when the budget is spent and files are opened for each read from then on
   */
  constructor(limit: number, onExhausted: () => void) {
    this.budget = Math.max(0, limit - RESERVED);
    this.onExhausted = onExhausted;
  }

  /**
   * @returns undefined where there is no such file
   * @throws on any other error
   */
  open(path: string): KernelFile | undefined {
    try {
      const descriptor = openSync(path, 'r');
      if (this.openCount < this.budget) {
        this.openCount++;
        return KernelFile.keptOpen(descriptor, this);
      }
      closeSync(descriptor);
      if (!this.isExhaustionReported) this.onExhausted();
      this.isExhaustionReported = true;
      return KernelFile.openedForEachRead(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Returns the descriptor of a closed file to the budget. */
  releaseDescriptor(): void {
    this.openCount--;
  }

  /** Opens several files, or none: after an error, those that are open are closed. */
  openAll<T>(open: (one: (path: string) => KernelFile | undefined) => T): T {
    const opened: KernelFile[] = [];
    try {
      return open((path) => {
        const file = this.open(path);
        if (file !== undefined) opened.push(file);
        return file;
      });
    } catch (error) {
      for (const file of opened) file.close();
      throw error;
    }
  }
}

/**
 * The parent of a process: the fourth field of its stat. The second field, a name, can contain anything.
 * Source: proc_pid_stat(5).
 * @throws when the process has vanished
 */
export function readParentPid(procfs: string, pid: number): number {
  const stat = readFileSync(join(procfs, String(pid), 'stat'), 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Whether the kernel refused access to a file or process because the agent lacks a privilege. */
export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether a file of /proc or a cgroup has vanished. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
