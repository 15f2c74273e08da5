/** Where a container's log is read: the json-file driver's file where we can, the Engine API where not. */
import { closeSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Container } from '../records/records.ts';

export type LogSource =
  | { readonly kind: 'file'; readonly path: string }
  /** `why` the file is not read, in a few words, and the `code` of the fault that it was. */
  | { readonly kind: 'api'; readonly why: string; readonly code?: string };

/** Podman calls its driver json-file too, and writes another format into a file of another name. */
const isJsonFile = (path: string): boolean => path.endsWith('-json.log');

function isVisible(directory: string): boolean {
  try {
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}

/** @param rootfs where the / of the daemon's host is; undefined where it cannot be seen from here */
export function findLogSource(
  { logDriver, logPath }: Pick<Container, 'logDriver' | 'logPath'>,
  rootfs: string | undefined,
): LogSource {
  if (logDriver !== 'json-file') return { kind: 'api', why: `log driver ${logDriver || 'unknown'}` };
  if (rootfs === undefined) return { kind: 'api', why: 'the daemon is on another host' };
  if (logPath === '') return { kind: 'api', why: 'never started' };
  if (!isJsonFile(logPath)) return { kind: 'api', why: 'its file is none of json-file' };
  const path = join(rootfs, logPath);
  try {
    // access(2) takes no account of the capabilities of a user other than root. Rotated files are found by their directory.
    for (const needed of [path, dirname(path)]) closeSync(openSync(needed, 'r'));
    return { kind: 'file', path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Where the daemon's directory can be seen, a file that is not there is about to be, or has just been removed.
    if (code === 'ENOENT' && isVisible(dirname(dirname(path)))) return { kind: 'file', path };
    return { kind: 'api', why: `${path}: ${code}`, ...(code !== undefined && { code }) };
  }
}

/**
 * Log files of containers that were not inspected since their start, by those of others: the daemon keeps all
 * of them in one place.
 */
export class LogPaths {
  private pattern: string | undefined;

  /** @param root `DockerRootDir`, below which Docker keeps them all */
  setRoot(root: string): void {
    this.pattern ??= join(root, 'containers', '\0', '\0-json.log');
  }

  addPathOf({ id, logPath }: Container): void {
    if (logPath.includes(id) && isJsonFile(logPath)) this.pattern = logPath.replaceAll(id, '\0');
  }

  /** The path that the daemon told, or the one that follows from what it told of others; '' if none. */
  pathOf({ id, logPath }: Pick<Container, 'id' | 'logPath'>): string {
    return logPath || (this.pattern?.replaceAll('\0', id) ?? '');
  }
}
