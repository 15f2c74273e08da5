/** The text of docs/privileges.md, from the tables that the agent and its test have. */
import { requests } from '../../collectors/docker/requests.ts';
import { abilities } from '../abilities.ts';

/** What an agent is to tell of a container that runs. */
export const things = [
  'events',
  'inventory',
  'cpu',
  'network',
  'processes',
  'descriptors',
  'sockets',
  'namespaces',
  'confinement',
  'logs',
  'storage',
  'host',
] as const;
export type Thing = (typeof things)[number];

const heads: Readonly<Record<Thing, string>> = {
  events: 'events',
  inventory: 'inventory, state',
  cpu: 'CPU, memory, pids, I/O',
  network: 'network',
  processes: 'processes, threads',
  descriptors: 'open files',
  sockets: 'open sockets',
  namespaces: 'namespaces',
  confinement: 'confinement',
  logs: 'logs',
  storage: 'images, layers, disk use',
  host: 'host',
};

/** Logs come from files, or through the API. */
export type Outcome = boolean | 'files' | 'API';

export interface Setting {
  readonly name: string;
  /** Names of abilities that `portlight check` and the agent's log say are missing. */
  readonly lacks: readonly string[];
  /** What is other for another reason. */
  readonly otherwise?: Partial<Record<Thing, Outcome>>;
}

/** What is not there, or is other, by what is missing. */
const costs: Readonly<Record<string, Partial<Record<Thing, Outcome>>>> = {
  'log files': { logs: 'API' },
  'container processes': {
    cpu: false,
    network: false,
    processes: false,
    descriptors: false,
    sockets: false,
    namespaces: false,
    confinement: false,
  },
  // Whose processes a container's are is known by its cgroup.
  'container cgroups': { cpu: false, processes: false, descriptors: false, sockets: false },
  namespaces: { namespaces: false },
  'open descriptors': { descriptors: false },
  'open sockets': { sockets: false },
};

/** What an agent tells. */
export function outcomesOf({ lacks, otherwise }: Setting): Readonly<Record<Thing, Outcome>> {
  const all = Object.fromEntries(things.map((thing) => [thing, thing === 'logs' ? 'files' : true]));
  return Object.assign(all, ...lacks.map((lack) => costs[lack]), otherwise) as Record<Thing, Outcome>;
}

/** Each is set up by test/integration/privileges.test.ts, which finds what is said here. */
export const settings = {
  root: { name: 'root', lacks: [] },
  powerless: { name: 'root without capabilities', lacks: ['namespaces', 'open sockets'] },
  capped: { name: 'root with CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE only', lacks: [] },
  group: { name: 'a user in the group docker', lacks: ['log files', 'namespaces', 'open sockets'] },
  reader: {
    name: 'a user in the group docker, with CAP_DAC_READ_SEARCH',
    lacks: ['namespaces', 'open sockets'],
  },
  groupRoot: {
    name: 'a user in the groups docker and root',
    lacks: ['log files', 'namespaces', 'open sockets'],
  },
  tracer: { name: 'a user in the group docker, with CAP_SYS_PTRACE', lacks: ['log files', 'open sockets'] },
  both: { name: 'a user in the group docker, with both', lacks: [] },
  proxied: { name: 'a user behind the socket proxy', lacks: ['log files', 'namespaces', 'open sockets'] },
  proxiedBoth: { name: 'a user behind the socket proxy, with both', lacks: [] },
  hidden: {
    name: 'a user in the group docker, /proc with `hidepid=2`',
    lacks: ['log files', 'container processes'],
  },
  hiddenTracer: {
    name: 'a user in the group docker, /proc with `hidepid=2`, with CAP_SYS_PTRACE',
    lacks: ['log files', 'open sockets'],
  },
  remapRoot: { name: 'userns-remap: root', lacks: [] },
  remapGroup: {
    name: 'userns-remap: a user in the group docker',
    lacks: ['log files', 'namespaces', 'open sockets'],
  },
  remapBoth: { name: 'userns-remap: a user in the group docker, with both', lacks: [] },
  rootless: {
    name: "rootless Docker on cgroup v1: the daemon's user",
    lacks: ['container cgroups', 'open sockets'],
  },
  // Podman's log drivers are none of Docker's.
  podman: { name: 'Podman: root', lacks: [], otherwise: { logs: 'API' } },
  podmanRootless: {
    name: "rootless Podman on cgroup v1: the service's user",
    lacks: ['container cgroups', 'open sockets'],
    otherwise: { logs: 'API' },
  },
} satisfies Record<string, Setting>;
