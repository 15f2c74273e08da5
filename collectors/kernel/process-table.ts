/**
 * Which containers' processes there are, from /proc alone: the name of a process's cgroup bears the id of its
 * container.
 * Source: cgroups(7), proc_pid_stat(5).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMembership } from '../shared/cgroup-location.ts';
import { KernelFile, kernelBuffer, readSmallFile } from '../shared/kernel-file.ts';

/** A second's. */
export const TICKS = 100;

/** Who names cgroups how: `docker-<id>.scope`, `libpod-<id>`, `cri-containerd-<id>.scope`, `crio-<id>.scope`. */
const RUNTIMES: Readonly<Record<string, string>> = {
  docker: 'docker',
  libpod: 'podman',
  'cri-containerd': 'containerd',
  crio: 'cri-o',
};

export interface Belonging {
  readonly id: string;
  /** `container.runtime.name`; undefined where the cgroup's name does not tell it. */
  readonly runtime: string | undefined;
}

/** @param text of /proc/<pid>/cgroup; undefined where no container's id is in it */
export function containerOf(text: string): Belonging | undefined {
  for (const path of parseMembership(text).values()) {
    const parts = path.split('/');
    for (let at = parts.length - 1; at > 0; at--) {
      const [, prefix = '', id] = /^(?:(.*)[-:])?([0-9a-f]{64})(?:\.scope)?$/.exec(parts[at]!) ?? [];
      if (id === undefined) continue;
      // What watches over a container from outside is named after it.
      if (prefix.endsWith('conmon')) return undefined;
      const runtime = RUNTIMES[prefix.split(':').at(-1)!] ?? RUNTIMES[parts[at - 1]!];
      return { id, runtime };
    }
  }
  return undefined;
}

/**
 * The container that we run in, as others are found: undefined in a cgroup namespace of its own, where its id shows
 * nowhere.
 */
export const ownContainer = (): string | undefined =>
  containerOf(readFileSync('/proc/self/cgroup', 'latin1'))?.id;

/** What the stat file of a process says. */
interface Stat {
  readonly name: string;
  readonly state: string;
  readonly ticks: number;
}

function parseStat(text: string): Stat {
  // The name stands in parentheses, and may hold anything.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return { name: text.slice(text.indexOf('(') + 1, end), state: fields[0]!, ticks: Number(fields[19]) };
}

/** Undefined where it has ended, whoever is still to take notice of that. */
function running(file: KernelFile): Stat | undefined {
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

/** While it sets a container up, the runtime is in its cgroup itself: for moments, or until it is told to start it. */
const RUNTIME = /^(runc:\[|runc$|crun$|youki)/;
/** Those moments are over, in ticks. */
const SET_UP = 100;
/** A process comes into its container's cgroup some moments after it has come into being. */
const LOOKS = 5;

/** The first process of a container that runs. */
export interface Init extends Belonging {
  readonly pid: number;
  /** When it was started, in ticks of a hundredth of a second since the host was. */
  readonly ticks: number;
  /** Name of its executable, as the kernel has it. */
  readonly name: string;
}

/** An init that runs, and its stat file, which stays open: to open it each time costs more than all else of a look. */
interface Watched {
  readonly init: Init;
  readonly stat: KernelFile;
}

interface Looked {
  readonly belonging: Belonging | undefined;
  readonly looks: number;
}

/** The processes that there are; what is known of one is not read again. */
export class ProcessTable {
  private readonly procfs: string;
  private readonly open: (path: string) => KernelFile | undefined;
  private looked = new Map<number, Looked>();
  private inits = new Map<string, Watched>();
  /** Processes that a container's end has left, such as those of docker exec: they are no new run of it. */
  private left = new Set<number>();

  /** @param open how the stat files of inits are kept open; undefined where there is no such file any more */
  constructor(procfs: string, open: (path: string) => KernelFile | undefined = KernelFile.openedForEachRead) {
    this.procfs = procfs;
    this.open = open;
  }

  close(): void {
    for (const { stat } of this.inits.values()) stat.close();
    this.inits.clear();
  }

  /**
   * The init of each container that runs, the oldest first.
   * @throws when /proc cannot be read
   */
  scan(): Map<string, Init> {
    const now = Number.parseFloat(readSmallFile(join(this.procfs, 'uptime'))) * TICKS;
    const looked = new Map<number, Looked>();
    const members = new Map<string, { belonging: Belonging; pids: number[] }>();
    for (const name of readdirSync(this.procfs)) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const known = this.look(pid);
      looked.set(pid, known);
      const { belonging } = known;
      if (belonging === undefined) continue;
      const group = members.get(belonging.id) ?? { belonging, pids: [] };
      group.pids.push(pid);
      members.set(belonging.id, group);
    }
    const found = [...members.values()].flatMap(
      ({ belonging, pids }) => this.init(belonging, pids, now) ?? [],
    );
    this.looked = looked;
    this.left = new Set([...this.left].filter((pid) => looked.has(pid)));
    found.sort((one, other) => one.init.ticks - other.init.ticks);
    const before = this.inits;
    this.inits = new Map(found.map((watched) => [watched.init.id, watched]));
    for (const [id, { stat }] of before) if (this.inits.get(id)?.stat !== stat) stat.close();
    return new Map(found.map(({ init }) => [init.id, init]));
  }

  private look(pid: number): Looked {
    const known = this.looked.get(pid);
    if (known !== undefined && (known.belonging !== undefined || known.looks >= LOOKS)) return known;
    const text = attempt(() => readSmallFile(join(this.procfs, String(pid), 'cgroup')));
    return { belonging: containerOf(text ?? ''), looks: (known?.looks ?? 0) + 1 };
  }

  /** The process that was the first, for as long as it runs; else the oldest of another run. */
  private init(belonging: Belonging, pids: readonly number[], now: number): Watched | undefined {
    const known = this.inits.get(belonging.id);
    if (known !== undefined) {
      const { pid, ticks } = known.init;
      if (pids.includes(pid) && running(known.stat)?.ticks === ticks) return known;
      for (const pid of pids) if (this.looked.has(pid)) this.left.add(pid);
    }
    let oldest: Init | undefined;
    for (const pid of pids) {
      const stat = this.left.has(pid) ? undefined : running(KernelFile.openedForEachRead(this.pathOf(pid)));
      if (stat === undefined || RUNTIME.test(stat.name) || now - stat.ticks < SET_UP) continue;
      if (
        oldest === undefined ||
        stat.ticks < oldest.ticks ||
        (stat.ticks === oldest.ticks && pid < oldest.pid)
      )
        oldest = { ...belonging, pid, ticks: stat.ticks, name: stat.name };
    }
    if (oldest === undefined) return undefined;
    const path = this.pathOf(oldest.pid);
    return { init: oldest, stat: attempt(() => this.open(path)) ?? KernelFile.openedForEachRead(path) };
  }

  private pathOf(pid: number): string {
    return join(this.procfs, String(pid), 'stat');
  }
}
