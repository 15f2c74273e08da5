/**
 * Resource attributes of the host that the containers run on.
 * Source: https://opentelemetry.io/docs/specs/semconv/resource/host/ and …/os/
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, hostname, release } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type Systeminformation from 'systeminformation';
import type { AttributeValue } from '../records/records.ts';

const require = createRequire(import.meta.url);

/** OpenTelemetry's names of processor architectures, where Node's differ. */
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

interface Distribution {
  readonly name: string | undefined;
  readonly version: string | undefined;
}

/** The distribution's name and version: os-release(5). @param rootfs where the host's / is */
async function distributionOf(rootfs: string): Promise<Distribution> {
  if (rootfs === '/') {
    // systeminformation also knows distributions without such a file. Only this one of its files is loaded.
    const { osInfo } = require('systeminformation/lib/osinfo') as Pick<typeof Systeminformation, 'osInfo'>;
    const { distro, release: version } = await osInfo();
    return { name: distro, version };
  }
  const text = await readFirst([join(rootfs, 'etc/os-release'), join(rootfs, 'usr/lib/os-release')]);
  const { NAME, VERSION_ID } = parseEnv(text ?? '');
  return { name: NAME, version: VERSION_ID };
}

/**
 * `host.*` and `os.*` of every record. An attribute that cannot be read is absent.
 * @param rootfs where the host's / is: a container has its own host name and distribution
 */
export async function readHostAttributes(
  procfs: string,
  rootfs: string,
): Promise<Record<string, AttributeValue>> {
  // sys/kernel/hostname has the name of the reader's UTS namespace, whatever /proc it is read from.
  const names = [
    ...(rootfs === '/' ? [] : [join(rootfs, 'etc/hostname')]),
    join(procfs, 'sys/kernel/hostname'),
  ];
  const ids = ['etc/machine-id', 'var/lib/dbus/machine-id'].map((path) => join(rootfs, path));
  const [name, machineId, os] = await Promise.all([readFirst(names), readFirst(ids), distributionOf(rootfs)]);
  const attributes: Record<string, AttributeValue | undefined> = {
    'host.name': name ?? hostname(),
    'host.id': machineId || undefined,
    'host.arch': ARCHITECTURES[arch()] ?? arch(),
    'os.type': 'linux',
    'os.name': os.name || undefined,
    'os.version': os.version || undefined,
    'os.description': `Linux ${release()}`,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Record<
    string,
    AttributeValue
  >;
}
