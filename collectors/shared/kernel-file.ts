/**
 * Files of /proc and the cgroup file systems that are read again and again: over a descriptor that stays
 * open, which costs a tenth of opening the file each time. Descriptors are not without end: beyond a share
 * of the process's limit, files are opened for each read.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Kept for everything else that the process opens: sockets, its database, logs. */
const RESERVED = 512;
/** Larger than any file that is read this way. */
const BUFFER_SIZE = 256 * 1024;

/** Where the kernel puts a file's bytes; valid until the next read. */
export const kernelBuffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);

/** The process's limit of open files, from its /proc/self/limits (proc_pid_limits(5)); infinite if unlimited. */
export function descriptorLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * The kernel gives a file of many records a page at a time, cut between two records: whatever comes close to
 * a page may have more behind it.
 */
const MAYBE_MORE = 2048;

function fill(descriptor: number): number {
  let length = readSync(descriptor, kernelBuffer, 0, BUFFER_SIZE, 0);
  for (let more = length < MAYBE_MORE ? 0 : 1; more > 0 && length < BUFFER_SIZE; length += more) {
    more = readSync(descriptor, kernelBuffer, length, BUFFER_SIZE - length, length);
  }
  return length;
}

function readAnew(path: string): number {
  const descriptor = openSync(path, 'r');
  try {
    return fill(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The text of a file that is looked at now and then: readFileSync takes 8 KiB anew for each, however short it is.
 * @throws on any error
 */
export const readSmallFile = (path: string): string => kernelBuffer.toString('latin1', 0, readAnew(path));

export class KernelFile {
  /** Of a file that is opened for each read; a thousand containers have 20,000 of the others. */
  private readonly path: string;
  /** -1 where there is none. */
  private descriptor: number;
  /** What the descriptor counts in. */
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
   * @returns the number of bytes; 0 where the file is no longer there, or switched off as pressure files can be
   * @throws on any other error
   */
  read(): number {
    try {
      return this.descriptor === -1 ? readAnew(this.path) : fill(this.descriptor);
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

/** Opens kernel files within one budget of descriptors. */
export class KernelFiles {
  private readonly budget: number;
  private readonly exhausted: () => void;
  private kept = 0;
  private told = false;

  /**
   * @param limit of descriptors that the process may have open
   * @param exhausted called once, when files begin to be opened for each read
   */
  constructor(limit: number, exhausted: () => void) {
    this.budget = Math.max(0, limit - RESERVED);
    this.exhausted = exhausted;
  }

  /**
   * @returns undefined where there is no such file
   * @throws on any other error
   */
  open(path: string): KernelFile | undefined {
    try {
      const descriptor = openSync(path, 'r');
      if (this.kept < this.budget) {
        this.kept++;
        return KernelFile.keptOpen(descriptor, this);
      }
      closeSync(descriptor);
      if (!this.told) this.exhausted();
      this.told = true;
      return KernelFile.openedForEachRead(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** One that was kept open is not any more. */
  releaseDescriptor(): void {
    this.kept--;
  }

  /** Opens several files, or none: what was opened before an error is closed. */
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
 * The parent of a process: the fourth field of its stat, behind a name that may hold anything.
 * Source: proc_pid_stat(5).
 * @throws when the process has vanished
 */
export function readParentPid(procfs: string, pid: number): number {
  const stat = readFileSync(join(procfs, String(pid), 'stat'), 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Whether the kernel refused a file, or a look at a process, for want of a privilege. */
export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether a file of /proc or a cgroup does not exist any more. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
