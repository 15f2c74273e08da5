/** Decides where a container's log is read: from the json-file driver's file if possible, else through the Engine API. */
import { closeSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Container } from '../records/records.ts';

export type LogSource =
  | { readonly kind: 'file'; readonly path: string }
  /** `why` the file is not read, in a few words, and the `code` of the error. */
  | { readonly kind: 'api'; readonly why: string; readonly code?: string };

/** Podman calls its driver json-file too, but writes another format into a file with another name. */
const isJsonFile = (path: string): boolean => path.endsWith('-json.log');

function isVisible(directory: string): boolean {
  try {
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}

/** @param rootfs where the root of the daemon's host is mounted; undefined where it cannot be seen from here */
export function findLogSource(
  { logDriver, logPath }: Pick<Container, 'logDriver' | 'logPath'>,
  rootfs: string | undefined,
): LogSource {
  if (logDriver !== 'json-file') return { kind: 'api', why: `log driver ${logDriver || 'unknown'}` };
  if (rootfs === undefined) return { kind: 'api', why: 'the daemon is on another host' };
  if (logPath === '') return { kind: 'api', why: 'never started' };
  if (!isJsonFile(logPath)) return { kind: 'api', why: 'the file is not in the json-file format' };
  const path = join(rootfs, logPath);
  try {
    // access(2) ignores the capabilities of a user other than root. Rotated files are found in the directory.
    for (const needed of [path, dirname(path)]) closeSync(openSync(needed, 'r'));
    return { kind: 'file', path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The daemon's directory can be seen, so the file is about to be created, or was just removed.
    if (code === 'ENOENT' && isVisible(dirname(dirname(path)))) return { kind: 'file', path };
    return { kind: 'api', why: `${path}: ${code}`, ...(code !== undefined && { code }) };
  }
}

/**
 * Paths of log files. The daemon keeps all of them in one place, so the path of a container that was not inspected
 * since its start follows from that of another.
 */
export class LogPaths {
  /** A path with NUL in place of the container's id. */
  private template: string | undefined;

  /** @param root `DockerRootDir`, below which Docker keeps all logs */
  setRoot(root: string): void {
    this.template ??= join(root, 'containers', '\0', '\0-json.log');
  }

  addPathOf({ id, logPath }: Container): void {
    if (logPath.includes(id) && isJsonFile(logPath)) this.template = logPath.replaceAll(id, '\0');
  }

  /** The path that the daemon reported, or the one that follows from other containers' paths; '' if unknown. */
  pathOf({ id, logPath }: Pick<Container, 'id' | 'logPath'>): string {
    return logPath || (this.template?.replaceAll('\0', id) ?? '');
  }
}
