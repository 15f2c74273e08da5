/**
 * Log files that are opened before their containers are inspected: a short-lived container is gone by then. The daemon
 * creates the file right before it starts the process.
 */
import { closeSync, type FSWatcher, openSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** How long a file is waited for, and kept open. */
const MAX_HOLD_MS = 30_000;

interface EarlyFile {
  descriptor: number | undefined;
  watcher: FSWatcher | undefined;
  timer: NodeJS.Timeout;
}

export class EarlyFiles {
  private readonly files = new Map<string, EarlyFile>();

  /** Opens a container's file, or waits until it is created. */
  open(id: string, path: string): void {
    const known = this.files.get(id);
    if (known !== undefined) {
      known.descriptor ??= open(path);
      return;
    }
    const file: EarlyFile = {
      descriptor: open(path),
      watcher: undefined,
      timer: setTimeout(() => this.discard(id), MAX_HOLD_MS).unref(),
    };
    this.files.set(id, file);
    if (file.descriptor !== undefined) return;
    try {
      file.watcher = watch(dirname(path), (_event, name) => {
        if (name !== basename(path)) return;
        file.descriptor ??= open(path);
        if (file.descriptor !== undefined) file.watcher?.close();
      });
      file.watcher.on('error', () => file.watcher?.close());
      file.descriptor ??= open(path);
    } catch {
      // The directory does not exist: another log driver, or removed already.
      this.discard(id);
    }
  }

  /** Passes the descriptor of a container's file to the caller, who closes it; undefined where there is none. */
  claim(id: string): number | undefined {
    const descriptor = this.files.get(id)?.descriptor;
    if (descriptor !== undefined) this.forget(id);
    return descriptor;
  }

  close(): void {
    for (const id of this.files.keys()) this.discard(id);
  }

  private discard(id: string): void {
    const descriptor = this.files.get(id)?.descriptor;
    this.forget(id);
    if (descriptor !== undefined) closeSync(descriptor);
  }

  private forget(id: string): void {
    const file = this.files.get(id);
    this.files.delete(id);
    file?.watcher?.close();
    clearTimeout(file?.timer);
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
