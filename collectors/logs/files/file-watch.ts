/** Lets the kernel report when a quiet file is written to, so that it need not be polled. */
import { type FSWatcher, statfsSync, watch } from 'node:fs';

/**
 * File systems that nobody but this kernel writes to: ext2 to ext4, XFS, Btrfs, F2FS and tmpfs.
 * Source: linux/magic.h, statfs(2), inotify(7)
 */
const LOCAL = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994]);

export class FileWatch {
  /** Whether the kernel reports the writes of every process; known once the file is watched. */
  isLocal = false;
  private readonly path: string;
  private readonly onChange: (byKernel: boolean) => void;
  private watcher: FSWatcher | undefined;

  /** @param onChange called when there may be something to read; `byKernel` where the kernel reported it */
  constructor(path: string, onChange: (byKernel: boolean) => void) {
    this.path = path;
    this.onChange = onChange;
  }

  get isActive(): boolean {
    return this.watcher !== undefined;
  }

  /** @returns whether the file is watched from now on */
  start(): boolean {
    try {
      this.watcher = watch(this.path, { persistent: false }, () => this.onChange(true));
      this.watcher.on('error', () => this.onChange(false));
      this.isLocal = LOCAL.has(statfsSync(this.path).type);
      return true;
    } catch {
      this.close();
      return false;
    }
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }
}
