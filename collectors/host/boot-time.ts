import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnixNano } from '../records/records.ts';

/** When the host was started (`btime` of /proc/stat); 0n where that cannot be read. */
export function readBootTime(procfs: string): UnixNano {
  try {
    const seconds = /^btime (\d+)$/m.exec(readFileSync(join(procfs, 'stat'), 'latin1'))?.[1];
    return BigInt(seconds ?? 0) * 1_000_000_000n;
  } catch {
    return 0n;
  }
}
