/**
 * Finds the containers' processes in /proc: the name of a process's cgroup contains the id of its container.
 * Sources: cgroups(7), proc_pid_stat(5).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMembership } from '../shared/cgroup-location.ts';
import { KernelFile, kernelBuffer, readSmallFile } from '../shared/kernel-file.ts';

/** Clock ticks of the kernel (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Prefixes of cgroup names: `docker-<id>.scope`, `libpod-<id>`, `cri-containerd-<id>.scope`, `crio-<id>.scope`. */
const RUNTIMES: Readonly<Record<string, string>> = {
  docker: 'docker',
  libpod: 'podman',
  'cri-containerd': 'containerd',
  crio: 'cri-o',
};

export interface ContainerMembership {
  readonly id: string;
  /** `container.runtime.name`; undefined if the cgroup's name does not show it. */
  readonly runtime: string | undefined;
}

/**
 * The container of a process.
 * @param text of /proc/<pid>/cgroup
 * @returns undefined if it contains no container's id
 */
export function containerOf(text: string): ContainerMembership | undefined {
  for (const path of parseMembership(text).values()) {
    const parts = path.split('/');
    for (let at = parts.length - 1; at > 0; at--) {
      const [, prefix = '', id] = /^(?:(.*)[-:])?([0-9a-f]{64})(?:\.scope)?$/.exec(parts[at]!) ?? [];
      if (id === undefined) continue;
      // conmon monitors a container from outside, and its cgroup has the container's id.
      if (prefix.endsWith('conmon')) return undefined;
      const runtime = RUNTIMES[prefix.split(':').at(-1)!] ?? RUNTIMES[parts[at - 1]!];
      return { id, runtime };
    }
  }
  return undefined;
}

/** The id of the agent's own container; undefined in a private cgroup namespace, which hides the id. */
export const ownContainerIdFromCgroup = (): string | undefined =>
  containerOf(readFileSync('/proc/self/cgroup', 'latin1'))?.id;

/** The contents of a process's stat file. */
interface Stat {
  readonly name: string;
  readonly state: string;
  readonly ticks: number;
}

function parseStat(text: string): Stat {
  // The name is in parentheses and can contain any character.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return { name: text.slice(text.indexOf('(') + 1, end), state: fields[0]!, ticks: Number(fields[19]) };
}

/** Returns undefined if the process has ended, whether or not its parent has waited for it. */
function readRunningStat(file: KernelFile): Stat | undefined {
  const length = attempt(() => file.read()) ?? 0;
  if (length === 0) return undefined;
  const stat = parseStat(kernelBuffer.toString('latin1', 0, length));
  return stat.state === 'Z' || stat.state === 'X' ? undefined : stat;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** While the runtime sets up a container, it is in the container's cgroup: for moments, or until the start. */
const RUNTIME = /^(runc:\[|runc$|crun$|youki)/;
/** The setup is over after this time, in ticks. */
const SETUP_TICKS = 100;
/** A process enters its container's cgroup moments after its creation: so often its cgroup is read. */
const MAX_READS = 5;

/** The first process of a running container. */
export interface Init extends ContainerMembership {
  readonly pid: number;
  /** When it started, in ticks since the host's boot. */
  readonly ticks: number;
  /** Name of its executable, as the kernel stores it. */
  readonly name: string;
}

/** A running init and its stat file. The file stays open: opening it each time costs more than the rest of a scan. */
interface RunningInit {
  readonly init: Init;
  readonly stat: KernelFile;
}

interface ReadProcess {
  readonly membership: ContainerMembership | undefined;
  readonly readCount: number;
}

/** The host's processes. A process's cgroup is read until its container is known, at most MAX_READS times. */
export class ProcessTable {
  private readonly procfs: string;
  private readonly open: (path: string) => KernelFile | undefined;
  private processes = new Map<number, ReadProcess>();
  private inits = new Map<string, RunningInit>();
  /** Processes that outlive their container's init, such as those of docker exec: they are no new run. */
  private leftovers = new Set<number>();

  /** @param open opens the stat file of an init; returns undefined if the file no longer exists */
  constructor(procfs: string, open: (path: string) => KernelFile | undefined = KernelFile.openedForEachRead) {
    this.procfs = procfs;
    this.open = open;
  }

  close(): void {
    for (const { stat } of this.inits.values()) stat.close();
    this.inits.clear();
  }

  /**
   * Returns the init of each running container, the oldest first.
   * @throws when /proc cannot be read
   */
  scan(): Map<string, Init> {
    const now = Number.parseFloat(readSmallFile(join(this.procfs, 'uptime'))) * TICKS_PER_SECOND;
    const processes = new Map<number, ReadProcess>();
    const members = new Map<string, { membership: ContainerMembership; pids: number[] }>();
    for (const name of readdirSync(this.procfs)) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const known = this.readProcess(pid);
      processes.set(pid, known);
      const { membership } = known;
      if (membership === undefined) continue;
      const group = members.get(membership.id) ?? { membership, pids: [] };
      group.pids.push(pid);
      members.set(membership.id, group);
    }
    const found = [...members.values()].flatMap(
      ({ membership, pids }) => this.findInit(membership, pids, now) ?? [],
    );
    this.processes = processes;
    this.leftovers = new Set([...this.leftovers].filter((pid) => processes.has(pid)));
    found.sort((one, other) => one.init.ticks - other.init.ticks);
    const before = this.inits;
    this.inits = new Map(found.map((running) => [running.init.id, running]));
    for (const [id, { stat }] of before) if (this.inits.get(id)?.stat !== stat) stat.close();
    return new Map(found.map(({ init }) => [init.id, init]));
  }

  private readProcess(pid: number): ReadProcess {
    const known = this.processes.get(pid);
    if (known !== undefined && (known.membership !== undefined || known.readCount >= MAX_READS)) return known;
    const text = attempt(() => readSmallFile(join(this.procfs, String(pid), 'cgroup')));
    return { membership: containerOf(text ?? ''), readCount: (known?.readCount ?? 0) + 1 };
  }

  /** The first process as long as it runs; else the oldest process of another run. */
  private findInit(
    membership: ContainerMembership,
    pids: readonly number[],
    now: number,
  ): RunningInit | undefined {
    const known = this.inits.get(membership.id);
    if (known !== undefined) {
      const { pid, ticks } = known.init;
      if (pids.includes(pid) && readRunningStat(known.stat)?.ticks === ticks) return known;
      for (const pid of pids) if (this.processes.has(pid)) this.leftovers.add(pid);
    }
    let oldest: Init | undefined;
    for (const pid of pids) {
      const stat = this.leftovers.has(pid)
        ? undefined
        : readRunningStat(KernelFile.openedForEachRead(this.pathOf(pid)));
      if (stat === undefined || RUNTIME.test(stat.name) || now - stat.ticks < SETUP_TICKS) continue;
      if (
        oldest === undefined ||
        stat.ticks < oldest.ticks ||
        (stat.ticks === oldest.ticks && pid < oldest.pid)
      )
        oldest = { ...membership, pid, ticks: stat.ticks, name: stat.name };
    }
    if (oldest === undefined) return undefined;
    const path = this.pathOf(oldest.pid);
    return { init: oldest, stat: attempt(() => this.open(path)) ?? KernelFile.openedForEachRead(path) };
  }

  private pathOf(pid: number): string {
    return join(this.procfs, String(pid), 'stat');
  }
}
