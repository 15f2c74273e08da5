/**
 * Confinement of a container's processes as the kernel enforces it: capabilities, seccomp, AppArmor, user
 * ids.
 * Source: capabilities(7), proc_pid_status(5) (CapBnd, Seccomp, NoNewPrivs), proc_pid_attr(5) (the AppArmor
 * profile), proc_pid_uid_map(5), proc_pid_mountinfo(5).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Attributes, AttributeValue, Container } from '../records/records.ts';
import type { Namespaces } from '../shared/namespaces.ts';

/** In the order of their numbers in the kernel's linux/capability.h. */
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'.split(
    ' ',
  );

/** Capabilities with which a process can reach outside its container. */
const FAR_REACHING = ['SYS_ADMIN', 'SYS_MODULE', 'SYS_PTRACE', 'SYS_RAWIO', 'DAC_READ_SEARCH', 'BPF'];

const SECCOMP: Readonly<Record<string, string>> = { '0': 'disabled', '1': 'strict', '2': 'filter' };

/** Sockets that control the whole host, by the ends of their paths. */
const SOCKETS = /\/(docker|podman|containerd|crio)\.sock$/;
/** Directories that contain such a socket. */
const SOCKET_DIRECTORIES = new Set([
  '/run',
  '/var/run',
  '/var',
  '/run/podman',
  '/run/containerd',
  '/run/crio',
]);

export interface ProcessConfinement {
  /** Names of the capabilities that the processes can ever have (the bounding set), without CAP_. */
  readonly capabilities: readonly string[];
  /** `disabled`, `strict` or `filter`; undefined where the kernel has no seccomp. */
  readonly seccomp: string | undefined;
  /** The AppArmor profile; undefined where the kernel has no AppArmor. */
  readonly apparmor: string | undefined;
  readonly noNewPrivileges: boolean;
  readonly readonlyRoot: boolean;
  /** `inside:outside:length` of each range of user ids; empty where user ids are those of the host. */
  readonly uidMap: readonly string[];
}

/** The whole range, mapped to itself: no mapping. */
const IDENTITY = '0:0:4294967295';

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function capabilityNames(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return CAPABILITIES.filter((_, number) => (bits >> BigInt(number)) & 1n);
}

/** @throws when the process has vanished */
export function readConfinement(procfs: string, pid: number): ProcessConfinement {
  const directory = join(procfs, String(pid));
  const status = readFileSync(join(directory, 'status'), 'utf8');
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(status)?.[1];
  const profile = readIfPresent(join(directory, 'attr/current'))?.replace(/[\0\n]+$/, '');
  // The last mount over / is the visible one. Columns: id, parent, device, root, mount point, options.
  const root = readIfPresent(join(directory, 'mountinfo'))
    ?.split('\n')
    .map((line) => line.split(' '))
    .findLast(([, , , , point]) => point === '/');
  const ranges = (readIfPresent(join(directory, 'uid_map')) ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/).join(':'));
  return {
    capabilities: capabilityNames(field('CapBnd') ?? '0'),
    seccomp: SECCOMP[field('Seccomp') ?? ''],
    apparmor: profile === '' ? undefined : profile,
    noNewPrivileges: field('NoNewPrivs') === '1',
    readonlyRoot: root?.[5]?.split(',')[0] === 'ro',
    uidMap: ranges.length === 1 && ranges[0] === IDENTITY ? [] : ranges,
  };
}

export function confinementAttributes(
  confinement: ProcessConfinement,
  { privileged }: Container,
): Attributes {
  const { capabilities, seccomp, apparmor, noNewPrivileges, readonlyRoot, uidMap } = confinement;
  const attributes: Record<string, AttributeValue> = {
    'container.security.capabilities': capabilities,
    'container.security.no_new_privileges': noNewPrivileges,
    'container.security.readonly_rootfs': readonlyRoot,
  };
  if (privileged !== undefined) attributes['container.security.privileged'] = privileged;
  if (seccomp !== undefined) attributes['container.security.seccomp'] = seccomp;
  if (apparmor !== undefined) attributes['container.security.apparmor'] = apparmor;
  if (uidMap.length > 0) attributes['linux.namespace.user.uid_map'] = uidMap;
  return attributes;
}

/** Why a container has access beyond its own bounds; empty for most containers. */
export function elevationReasons(
  { privileged, mounts, securityOptions, hostPid }: Container,
  namespaces: Namespaces,
  { capabilities }: ProcessConfinement,
): string[] {
  const reasons: string[] = [];
  if (privileged) reasons.push('privileged');
  // Where the kernel does not show the namespace, the daemon's setting counts.
  if (namespaces.pid === undefined ? hostPid : namespaces.pid.host) reasons.push('host_pid');
  // A socket with another name on the host usually has its standard name in the container.
  const isSocket = (path: string) => SOCKETS.test(path);
  if (
    mounts.some(
      ({ source, destination }) =>
        isSocket(source) || isSocket(destination) || SOCKET_DIRECTORIES.has(source),
    )
  )
    reasons.push('docker_socket');
  // Also when it is read-only: it shows all of the host, and read-only does not apply to sockets.
  if (mounts.some(({ source }) => source === '/')) reasons.push('host_root');
  // A privileged container has all capabilities.
  if (privileged) return reasons;
  reasons.push(
    ...FAR_REACHING.filter((name) => capabilities.includes(name)).map((name) => `cap_${name.toLowerCase()}`),
  );
  if (securityOptions.some((option) => /^seccomp[=:]unconfined$/.test(option)))
    reasons.push('seccomp_unconfined');
  return reasons;
}
