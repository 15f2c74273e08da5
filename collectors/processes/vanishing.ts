/** Reads of processes and cgroups that can vanish at any moment. */
import { isGone } from '../shared/kernel-file.ts';

/** Undefined where the process or descriptor has vanished. @throws on any other error */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Undefined where the read fails, for whatever reason. */
export function unlessFailed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
