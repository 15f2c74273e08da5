import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Names of block devices by `major:minor`, from /proc/diskstats. An unknown number makes it read the file
 * again.
 */
export class DeviceNames {
  private readonly procfs: string | undefined;
  private readonly names = new Map<string, string>();

  /** @param procfs of the devices' host; undefined where it is not visible from here */
  constructor(procfs: string | undefined) {
    this.procfs = procfs;
  }

  /** The device's name, or its number where the host has no such device. */
  nameOf(number: string): string {
    if (!this.names.has(number)) {
      this.readNames();
      if (!this.names.has(number)) this.names.set(number, number);
    }
    return this.names.get(number)!;
  }

  private readNames(): void {
    if (this.procfs === undefined) return;
    try {
      for (const line of readFileSync(join(this.procfs, 'diskstats'), 'utf8').split('\n')) {
        const [major, minor, name] = line.trim().split(/\s+/);
        if (name !== undefined) this.names.set(`${major}:${minor}`, name);
      }
    } catch {
      // Without the file, devices keep their numbers.
    }
  }
}
