import { mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Keeps what cannot be delivered for diagnosis: requests that a receiver refused for good, and damaged bytes
 * of the spool. The oldest files are deleted first when the directory is full.
 */
export class Quarantine {
  private readonly directory: string | undefined;
  private readonly onError: (error: unknown) => void;
  private files: { readonly name: string; readonly bytes: number }[] = [];
  private nextNumber = 0;

  /** @param directory undefined keeps nothing */
  constructor(directory: string | undefined, onError: (error: unknown) => void) {
    this.directory = directory;
    this.onError = onError;
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.files = readdirSync(directory)
      .sort()
      .map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
  }

  /** @param kind the end of the file's name: `logs.otlp`, `logs.damaged` */
  add(bytes: Uint8Array, kind: string): void {
    if (this.directory === undefined) return;
    // Names sort by time.
    const name = `${Date.now()}-${process.pid}-${String(this.nextNumber++).padStart(6, '0')}.${kind}`;
    try {
      let total = this.files.reduce((sum, file) => sum + file.bytes, bytes.length);
      while (total > MAX_BYTES && this.files.length > 0) {
        const oldest = this.files.shift()!;
        total -= oldest.bytes;
        unlinkSync(join(this.directory, oldest.name));
      }
      writeFileSync(join(this.directory, name), bytes, { mode: 0o600 });
      this.files.push({ name, bytes: bytes.length });
    } catch (error) {
      this.onError(error);
    }
  }
}
