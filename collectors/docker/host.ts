/**
 * The host of a daemon, as the daemon describes it. Of a remote host nothing else is known.
 * Source: GET /info of the Engine API; https://opentelemetry.io/docs/specs/semconv/resource/host/
 */

import { readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { inspectRunningContainers } from '../engine/client.ts';
import { RefusedError } from '../engine/requests.ts';
import type { Attributes } from '../records/records.ts';
import { isContainerProcess } from '../shared/cgroup-location.ts';
import { parseMeminfo } from '../shared/proc-files.ts';

/** The fields that are read. */
export interface DaemonInfo {
  readonly Name: string;
  readonly OSType?: string;
  /** Name and version, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly OperatingSystem?: string;
  readonly OSVersion?: string;
  readonly KernelVersion?: string;
  /** As of uname(2). */
  readonly Architecture?: string;
  /** Bytes. */
  readonly MemTotal?: number;
  readonly CgroupVersion?: string;
  readonly CgroupDriver?: string;
}

/** OpenTelemetry's names of processor architectures. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm32',
  armv6l: 'arm32',
  i686: 'x86',
  ppc64le: 'ppc64',
};

/** `host.*` and `os.*`. */
export function hostOf(info: DaemonInfo): Attributes {
  const { Architecture: architecture = '', OperatingSystem: system = '', OSVersion: version = '' } = info;
  const at = version === '' ? -1 : system.indexOf(` ${version}`);
  const attributes = {
    'host.name': info.Name,
    'host.arch': ARCHITECTURES[architecture] ?? architecture,
    'os.type': info.OSType ?? '',
    'os.name': at === -1 ? system : system.slice(0, at),
    'os.version': version,
    'os.description': info.KernelVersion === undefined ? '' : `Linux ${info.KernelVersion}`,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Whether a daemon that is reached through the network runs on this host, for example behind a proxy of its socket. Name,
 * kernel and exact memory size decide. No proof exists, so each container's process is checked again before it is read.
 */
export function isThisHost(info: DaemonInfo, procfs: string, rootfs: string): boolean {
  // In a container, hostname() is the container's.
  const names = [hostname(), textOf(join(rootfs, 'etc/hostname'))];
  const memory = parseMeminfo(textOf(join(procfs, 'meminfo')) ?? '').get('MemTotal');
  return names.includes(info.Name) && info.KernelVersion === release() && info.MemTotal === memory;
}

/** The daemon's description of itself; undefined if a proxy refuses the request. */
export async function infoOf(docker: Docker): Promise<DaemonInfo | undefined> {
  try {
    return (await docker.info()) as DaemonInfo;
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

/** Whether a daemon runs on this host. If a proxy refuses its description, its containers' processes decide. */
export async function runsHere(
  docker: Docker,
  info: DaemonInfo | undefined,
  { procfs, rootfs }: { readonly procfs: string; readonly rootfs: string },
): Promise<boolean> {
  if (info !== undefined) return isThisHost(info, procfs, rootfs);
  const running = await inspectRunningContainers(docker);
  return running.some(({ Id, State }) => isContainerProcess(procfs, State.Pid, Id));
}
