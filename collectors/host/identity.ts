/**
 * The host that the containers run on.
 * Source: https://opentelemetry.io/docs/specs/semconv/resource/host/ and …/os/
 */
import { readFile } from 'node:fs/promises';
import { arch, hostname, release } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { AttributeValue } from '../../agent/records.ts';

/** OpenTelemetry's names of processor architectures where Node's differ. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: 'x86',
  arm: 'arm32',
  ppc64: 'ppc64',
};

async function readFirst(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) return text.trim();
  }
  return undefined;
}

/** What the distribution says of itself: os-release(5). */
async function osRelease(rootfs: string): Promise<NodeJS.Dict<string>> {
  const text = await readFirst([join(rootfs, 'etc/os-release'), join(rootfs, 'usr/lib/os-release')]);
  return parseEnv(text ?? '');
}

/**
 * `host.*` and `os.*` of every record. What this host does not tell is absent.
 * @param rootfs where the host's / is: a container has a name and a distribution of its own
 */
export async function hostAttributes(
  procfs: string,
  rootfs: string,
): Promise<Record<string, AttributeValue>> {
  // The kernel tells each the name of its own UTS namespace, whatever /proc it reads.
  const names = [
    ...(rootfs === '/' ? [] : [join(rootfs, 'etc/hostname')]),
    join(procfs, 'sys/kernel/hostname'),
  ];
  const ids = ['etc/machine-id', 'var/lib/dbus/machine-id'].map((path) => join(rootfs, path));
  const [name, machineId, os] = await Promise.all([readFirst(names), readFirst(ids), osRelease(rootfs)]);
  const attributes: Record<string, AttributeValue | undefined> = {
    'host.name': name ?? hostname(),
    'host.id': machineId || undefined,
    'host.arch': ARCHITECTURES[arch()] ?? arch(),
    'os.type': 'linux',
    'os.name': os.NAME || undefined,
    'os.version': os.VERSION_ID || undefined,
    'os.description': `Linux ${release()}`,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Record<
    string,
    AttributeValue
  >;
}
