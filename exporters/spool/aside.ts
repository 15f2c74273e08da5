/**
 * What could not be delivered and never will be as it is: requests that a receiver refused for good, and bytes of
 * the spool that are no batch. Kept for whoever wants to know, up to a size; the oldest go first.
 */
import { mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 64 * 1024 * 1024;

export class Aside {
  private readonly directory: string | undefined;
  private readonly onFault: (error: unknown) => void;
  private files: { readonly name: string; readonly bytes: number }[] = [];
  private number = 0;

  /** @param directory made when something is put there; undefined keeps nothing */
  constructor(directory: string | undefined, onFault: (error: unknown) => void) {
    this.directory = directory;
    this.onFault = onFault;
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.files = readdirSync(directory)
      .sort()
      .map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
  }

  /** @param kind the end of the file's name: `logs.otlp`, `logs.damaged` */
  put(bytes: Uint8Array, kind: string): void {
    if (this.directory === undefined) return;
    // In the order of their names they are in that of their time.
    const name = `${Date.now()}-${process.pid}-${String(this.number++).padStart(6, '0')}.${kind}`;
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
      this.onFault(error);
    }
  }
}
