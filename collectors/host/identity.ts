/**
 * The host that the containers run on.
 * Source: https://opentelemetry.io/docs/specs/semconv/resource/host/ and …/os/
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, hostname, release } from 'node:os';
import { join } from 'node:path';
import type Systeminformation from 'systeminformation';
import type { AttributeValue } from '../../agent/records.ts';

const require = createRequire(import.meta.url);

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

/** `host.*` and `os.*` of every record. What this host does not tell is absent. */
export async function hostAttributes(procfs: string): Promise<Record<string, AttributeValue>> {
  // systeminformation reads the distribution's release file in its many forms; the rest of it is not needed.
  const { osInfo } = require('systeminformation/lib/osinfo') as Pick<typeof Systeminformation, 'osInfo'>;
  const [name, machineId, os] = await Promise.all([
    readFirst([join(procfs, 'sys/kernel/hostname')]),
    readFirst(['/etc/machine-id', '/var/lib/dbus/machine-id']),
    osInfo(),
  ]);
  const attributes: Record<string, AttributeValue | undefined> = {
    'host.name': name ?? hostname(),
    'host.id': machineId || undefined,
    'host.arch': ARCHITECTURES[arch()] ?? arch(),
    'os.type': 'linux',
    'os.name': os.distro || undefined,
    'os.version': os.release || undefined,
    'os.description': `Linux ${release()}`,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Record<
    string,
    AttributeValue
  >;
}
