/**
 * Log files that are opened before their containers are described: one that lives for a moment is gone by
 * then. Its file comes into being a moment before its process.
 */
import { closeSync, type FSWatcher, openSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** How long a file is waited for and held. */
const MAX_HOLD_MS = 30_000;

interface EarlyFile {
  descriptor: number | undefined;
  watcher: FSWatcher | undefined;
  timer: NodeJS.Timeout;
}

export class EarlyFiles {
  private readonly files = new Map<string, EarlyFile>();

  /** Opens a container's file, or waits for it. */
  open(id: string, path: string): void {
    const known = this.files.get(id);
    if (known !== undefined) {
      known.descriptor ??= open(path);
      return;
    }
    const held: EarlyFile = {
      descriptor: open(path),
      watcher: undefined,
      timer: setTimeout(() => this.discard(id), MAX_HOLD_MS).unref(),
    };
    this.files.set(id, held);
    if (held.descriptor !== undefined) return;
    try {
      held.watcher = watch(dirname(path), (_event, name) => {
        if (name !== basename(path)) return;
        held.descriptor ??= open(path);
        if (held.descriptor !== undefined) held.watcher?.close();
      });
      held.watcher.on('error', () => held.watcher?.close());
      held.descriptor ??= open(path);
    } catch {
      // No such directory: another driver's, or gone already.
      this.discard(id);
    }
  }

  /** The descriptor of a container's file, which is the caller's from now on; undefined where there is none. */
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
    const held = this.files.get(id);
    this.files.delete(id);
    held?.watcher?.close();
    clearTimeout(held?.timer);
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
