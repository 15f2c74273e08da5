/** The text of docs/privileges.md, from the tables that the agent and its test have. */
import { daemonRequests } from '../../collectors/engine/requests.ts';
import { accessChecks } from '../targets/access-checks.ts';

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

/** Logs come from files, or through the API; some things are told of containers of root alone. */
export type Outcome = boolean | 'files' | 'API' | "root's";

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
    cpu: 'API',
    network: 'API',
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
  traced: {
    name: 'root with CAP_SYS_PTRACE only',
    lacks: ['open sockets'],
    otherwise: { sockets: "root's" },
  },
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

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => '---'), ...rows].map(line);

const cellOf = (outcome: Outcome): string => (outcome === true ? 'yes' : outcome === false ? '–' : outcome);

const settingRows = (): string[][] =>
  Object.values(settings as Record<string, Setting>).map((setting) => {
    const outcomes = outcomesOf(setting);
    return [setting.name, ...things.map((thing) => cellOf(outcomes[thing]))];
  });

export function privilegesPage(): string {
  return [
    '# Privileges',
    '',
    'Generated by `npm run docs` from `agent/setup/privileges-page.ts`, `agent/targets/access-checks.ts` and',
    '`collectors/docker/requests.ts`.',
    '',
    'The agent works with whatever it is given. What it cannot see is absent, never zero, and costs nothing else: a user',
    "without any privilege but the daemon's socket has events, inventory, CPU, memory, pids, block I/O, network and all logs.",
    '`portlight check` tries everything on every running container, and says what is missing, what is lost by it and what',
    'gives it; the running agent says it once in its log.',
    '',
    '## What works with what',
    '',
    'Each row is a test (`test/integration/privileges.test.ts`) with an agent of just these privileges, a container of root',
    'and one of a user. Logs are complete in each row: from the files, or through the API.',
    '',
    ...tableOf(['the agent runs as', ...things.map((thing) => heads[thing])], settingRows()),
    '',
    'On kernels before Linux 6.2 the count of open files needs CAP_DAC_READ_SEARCH in each row; without it, it is absent.',
    'A rootless daemon on cgroup v1 cannot give its containers cgroups; on cgroup v2, with systemd and delegation, it does,',
    'and CPU, memory and processes are there (not tested here: a host with systemd is needed). Of a container that itself',
    'runs as another user than root, a rootless agent cannot look at the descriptors.',
    '',
    '## What it takes',
    '',
    ...tableOf(
      ['what', 'without it', 'it takes'],
      accessChecks.map(({ name, consequence: without, requires: needs }) => [name, without, needs]),
    ),
    '',
    '```console',
    '$ portlight check',
    'STATUS   CHECK                 FOUND',
    'OK       engine API requests   all are answered',
    "WARN     log files             of 1 of 2 containers cannot be read: permission denied: logs are read through the API, which costs the daemon more; what is removed as it ends can lose its last lines; it takes CAP_DAC_READ_SEARCH, and in a container the host's / (--rootfs)",
    'OK       container processes   readable',
    'OK       container cgroups     readable',
    'WARN     namespaces            of 2 of 2 containers cannot be read: permission denied: no namespaces, and who shares them; what else confines a container is told; it takes CAP_SYS_PTRACE',
    'OK       open descriptors      readable',
    '```',
    '',
    "Nothing else takes a privilege: cgroup files, `/proc/<pid>/net/dev`, `/proc/<pid>/status` (capabilities, seccomp) and the host's figures",
    'are for everybody to read. The log file can be opened by the group root, but its directory cannot be listed by it, which',
    'rotation needs.',
    '',
    '## The least for each wish',
    '',
    ...tableOf(
      ['wish', 'run it as'],
      [
        ['events, metrics, logs', 'a user behind the socket proxy; no capability'],
        [
          'the same, with less load on the daemon for logs, and nothing lost of `--rm` containers',
          'CAP_DAC_READ_SEARCH besides',
        ],
        ['namespaces', 'CAP_SYS_PTRACE besides'],
        ['everything', 'both'],
        ['all but sockets of other users, in a container', 'root with CAP_SYS_PTRACE only'],
        ['a rootless daemon', "the daemon's own user; no capability"],
      ],
    ),
    '',
    'CAP_DAC_READ_SEARCH reads every file of the host, and CAP_SYS_PTRACE the memory of every process: give them for what they',
    'bring. The group docker is root by another name, since whoever can use the socket can start a privileged container; the',
    'proxy is what makes it reading.',
    '',
    '### On the host',
    '',
    '`setpriv` shows what a service manager does; systemd has `User=`, `SupplementaryGroups=` and `AmbientCapabilities=` for it.',
    '',
    '```sh',
    'sudo setpriv --reuid portlight --regid portlight --groups docker \\',
    '  --inh-caps=-all,+dac_read_search,+sys_ptrace --ambient-caps=-all,+dac_read_search,+sys_ptrace portlight run',
    '```',
    '',
    '### In a container',
    '',
    'Docker adds capabilities to what a container can have at most, not to what its user has: `--cap-add` gives root in the',
    'container the capability, and any other user nothing (`CapEff` stays 0). So there are two ways:',
    '',
    '```sh',
    '# Root with one capability, of a host that it sees read-only. Log files are its own; DAC_READ_SEARCH besides reads',
    '# those of a daemon with userns-remap, and counts open sockets of all. Without the rest, root is not above the',
    '# permissions of the socket either: it has to own it, or be in its group.',
    'docker run -d --name portlight --user 0 --group-add "$(stat -c %g /run/portlight/docker.sock)" --cap-drop ALL \\',
    '  --cap-add SYS_PTRACE --security-opt no-new-privileges --read-only --pid host \\',
    '  -v /run/portlight:/run/portlight -v /:/host:ro -v portlight:/var/lib/portlight:nocopy \\',
    '  portlight run --docker-host unix:///run/portlight/docker.sock --rootfs /host --data-dir /var/lib/portlight',
    '',
    '# No capability at all: a user in the group of the socket. Logs come through the API, and there are no namespaces.',
    'docker run -d --name portlight --group-add "$(stat -c %g /run/portlight/docker.sock)" --cap-drop ALL \\',
    '  --security-opt no-new-privileges --read-only --pid host \\',
    '  -v /run/portlight:/run/portlight -v portlight:/var/lib/portlight \\',
    '  portlight run --docker-host unix:///run/portlight/docker.sock --data-dir /var/lib/portlight',
    '```',
    '',
    'Root without CAP_DAC_OVERRIDE writes only what it owns, which a volume with `nocopy` is. [deployment.md](deployment.md) has',
    'Compose, Swarm, Kubernetes and a systemd unit in the same manner.',
    '',
    'Where AppArmor confines containers, its profile `docker-default` lets one look at others of the same profile, but not at',
    "the host's processes: to tell which namespaces are the host's own takes `--security-opt apparmor=unconfined` then (not",
    'tested here). File capabilities on `node` would give a user other than root what `--cap-add` cannot, but not together with',
    '`no-new-privileges`, and the program could not start where they are not added.',
    '',
    '## The socket proxy',
    '',
    '[config/socket-proxy/haproxy.cfg](../config/socket-proxy/haproxy.cfg) is a configuration for HAProxy that lets pass GET and',
    'HEAD of these paths, and answers all else with 403: other methods, other paths, `..`, and a WebSocket that would also write.',
    'The agent can send no other request itself; a test has it and its commands go through the proxy, and finds that each',
    'path is asked and that none is missing.',
    '',
    ...tableOf(
      ['GET', 'where it is refused'],
      daemonRequests.map(({ path, without }) => [`\`${path}\``, without ?? 'the agent cannot work']),
    ),
    '',
    '```sh',
    '# The proxy alone is in the group docker; who is in the group portlight may use its socket.',
    'sudo groupadd --system portlight && sudo usermod --append --groups docker,portlight haproxy',
    'sudo install -d -o haproxy -g portlight -m 750 /run/portlight',
    'sudo PORTLIGHT_GID="$(getent group portlight | cut -d: -f3)" \\',
    '  setpriv --reuid haproxy --regid haproxy --init-groups haproxy -W -f config/socket-proxy/haproxy.cfg',
    'portlight run --docker-host unix:///run/portlight/docker.sock',
    '```',
    '',
    'What a proxy cannot take away: `/containers/{id}/json` has the environment of each container, secrets included. The agent',
    'does not send it on, but whoever uses the socket can read it.',
    '',
    '## hidepid, remapped users, rootless',
    '',
    '- `/proc` with `hidepid=1` or `2` hides the processes of others. CAP_SYS_PTRACE sees them, and so does the group that the',
    '  mount names (`gid=`), which then has metrics, but no namespaces.',
    "- With `userns-remap`, the daemon's files belong to another user, and nothing is different for the agent.",
    '- Of rootless Docker and Podman, the agent runs as the same user, who may look at what is his: namespaces need no',
    "  capability. It finds the socket in `$XDG_RUNTIME_DIR/docker.sock`; Podman's is named with `--docker-host`.",
    '- Podman calls its log driver json-file, and writes another format: its logs are read through the API, whose times are whole',
    '  seconds.',
    '',
  ].join('\n');
}
