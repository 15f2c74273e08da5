/** The text of docs/privileges.md, from the tables that the agent and its test use. */
import { daemonRequests } from '../../collectors/engine/requests.ts';
import { accessChecks } from '../targets/access-checks.ts';

/** What an agent can report of a running container. */
const features = [
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
export type Feature = (typeof features)[number];

const columnHeads: Readonly<Record<Feature, string>> = {
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

/** Logs come from files or through the API; some features work for containers of root only. */
export type FeatureOutcome = boolean | 'files' | 'API' | "root's";

export interface PrivilegeSetting {
  readonly name: string;
  /** Names of the access checks that fail, in `portlight check` and in the agent's log. */
  readonly failedChecks: readonly string[];
  /** Outcomes that differ for another reason. */
  readonly exceptions?: Partial<Record<Feature, FeatureOutcome>>;
}

/** Outcomes that change when an access check fails. */
const effects: Readonly<Record<string, Partial<Record<Feature, FeatureOutcome>>>> = {
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
  // The processes of a container are found through its cgroup.
  'container cgroups': { cpu: false, processes: false, descriptors: false, sockets: false },
  namespaces: { namespaces: false },
  'open descriptors': { descriptors: false },
  'open sockets': { sockets: false },
};

/** Whether each feature works. */
export function outcomesOf({
  failedChecks: lacks,
  exceptions: otherwise,
}: PrivilegeSetting): Readonly<Record<Feature, FeatureOutcome>> {
  const all = Object.fromEntries(features.map((thing) => [thing, thing === 'logs' ? 'files' : true]));
  return Object.assign(all, ...lacks.map((lack) => effects[lack]), otherwise) as Record<
    Feature,
    FeatureOutcome
  >;
}

/** test/integration/privileges.test.ts sets up each of them, and expects these outcomes. */
export const settings = {
  root: { name: 'root', failedChecks: [] },
  powerless: { name: 'root without capabilities', failedChecks: ['namespaces', 'open sockets'] },
  traced: {
    name: 'root with CAP_SYS_PTRACE only',
    failedChecks: ['open sockets'],
    exceptions: { sockets: "root's" },
  },
  capped: { name: 'root with CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE only', failedChecks: [] },
  group: { name: 'a user in the group docker', failedChecks: ['log files', 'namespaces', 'open sockets'] },
  reader: {
    name: 'a user in the group docker, with CAP_DAC_READ_SEARCH',
    failedChecks: ['namespaces', 'open sockets'],
  },
  groupRoot: {
    name: 'a user in the groups docker and root',
    failedChecks: ['log files', 'namespaces', 'open sockets'],
  },
  tracer: {
    name: 'a user in the group docker, with CAP_SYS_PTRACE',
    failedChecks: ['log files', 'open sockets'],
  },
  both: { name: 'a user in the group docker, with both', failedChecks: [] },
  proxied: {
    name: 'a user behind the socket proxy',
    failedChecks: ['log files', 'namespaces', 'open sockets'],
  },
  proxiedBoth: { name: 'a user behind the socket proxy, with both', failedChecks: [] },
  hidden: {
    name: 'a user in the group docker, /proc with `hidepid=2`',
    failedChecks: ['log files', 'container processes'],
  },
  hiddenTracer: {
    name: 'a user in the group docker, /proc with `hidepid=2`, with CAP_SYS_PTRACE',
    failedChecks: ['log files', 'open sockets'],
  },
  remapRoot: { name: 'userns-remap: root', failedChecks: [] },
  remapGroup: {
    name: 'userns-remap: a user in the group docker',
    failedChecks: ['log files', 'namespaces', 'open sockets'],
  },
  remapBoth: { name: 'userns-remap: a user in the group docker, with both', failedChecks: [] },
  rootless: {
    name: "rootless Docker on cgroup v1: the daemon's user",
    failedChecks: ['container cgroups', 'open sockets'],
  },
  // Podman's log files have another format than Docker's.
  podman: { name: 'Podman: root', failedChecks: [], exceptions: { logs: 'API' } },
  podmanRootless: {
    name: "rootless Podman on cgroup v1: the service's user",
    failedChecks: ['container cgroups', 'open sockets'],
    exceptions: { logs: 'API' },
  },
} satisfies Record<string, PrivilegeSetting>;

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => '---'), ...rows].map(line);

const cellOf = (outcome: FeatureOutcome): string =>
  outcome === true ? 'yes' : outcome === false ? '–' : outcome;

const settingRows = (): string[][] =>
  Object.values(settings as Record<string, PrivilegeSetting>).map((setting) => {
    const outcomes = outcomesOf(setting);
    return [setting.name, ...features.map((feature) => cellOf(outcomes[feature]))];
  });

/** Lines of `portlight check` for a user in the group docker, as `check-daemon.ts` formats them. */
function sampleWarnings(): string[] {
  const row = (name: string, found: string) => `${name.padEnd(22)}${found}`;
  return accessChecks
    .filter(({ metric }) => metric === undefined)
    .map(({ name, consequence, requires }) =>
      settings.group.failedChecks.some((check) => check === name)
        ? `WARN     ${row(name, `not readable for 2 of 2 containers (permission denied): ${consequence}. Requires ${requires}`)}`
        : `OK       ${row(name, 'readable')}`,
    );
}

export function privilegesPage(): string {
  return [
    '# Privileges',
    '',
    'Generated by `npm run docs` from `agent/setup/privileges-page.ts`, `agent/targets/access-checks.ts` and',
    '`collectors/engine/requests.ts`.',
    '',
    'Portlight works with the privileges that you give it. What it cannot read is absent, never zero, and does not affect the',
    "rest. A user who can only use the daemon's socket gets events, inventory, CPU, memory, pids, block I/O, network and all",
    'logs.',
    '',
    'Run `portlight check` to see what is missing on your host, what follows from it, and what to grant. The running agent logs',
    'the same once.',
    '',
    '## Features by privilege',
    '',
    'A test (`test/integration/privileges.test.ts`) proves each row: it runs an agent with exactly these privileges, a container',
    'of root and a container of another user. Logs are complete in every row, from files or through the API.',
    '',
    ...tableOf(['the agent runs as', ...features.map((feature) => columnHeads[feature])], settingRows()),
    '',
    'Limits:',
    '',
    '- Before Linux 6.2 the count of open files needs CAP_DAC_READ_SEARCH in every row. Without it the count is absent.',
    '- On cgroup v1 a rootless daemon cannot give its containers cgroups. On cgroup v2 with systemd and delegation it can, and',
    '  CPU, memory and processes are available. That is not tested here: it needs a host with systemd.',
    '- A rootless agent cannot read the descriptors of a container that itself runs as another user than root.',
    '',
    '## Required privileges',
    '',
    ...tableOf(
      ['what', 'without it', 'requires'],
      accessChecks.map(({ name, consequence, requires }) => [name, consequence, requires]),
    ),
    '',
    '```console',
    '$ portlight check',
    'STATUS   CHECK                 FOUND',
    'OK       engine API requests   all allowed',
    ...sampleWarnings(),
    '```',
    '',
    'Nothing else requires a privilege. Every user can read cgroup files, `/proc/<pid>/net/dev`, `/proc/<pid>/status`',
    "(capabilities, seccomp) and the host's metrics. The group root can open a log file, but cannot list its directory, which the",
    'agent needs to follow rotation.',
    '',
    '## Least privilege',
    '',
    ...tableOf(
      ['you want', 'run the agent as'],
      [
        ['events, metrics, logs', 'a user behind the socket proxy, without capabilities'],
        [
          'the same, with less load on the daemon, and complete logs of `--rm` containers',
          'the same user with CAP_DAC_READ_SEARCH',
        ],
        ['namespaces', 'the same user with CAP_SYS_PTRACE'],
        ['everything', 'the same user with both capabilities'],
        ['everything but sockets of other users, in a container', 'root with CAP_SYS_PTRACE only'],
        ['a rootless daemon', "the daemon's own user, without capabilities"],
      ],
    ),
    '',
    'CAP_DAC_READ_SEARCH reads every file of the host. CAP_SYS_PTRACE reads the memory of every process. Grant them only where',
    'you need what they add. Membership in the group docker is equivalent to root: who can use the socket can start a privileged',
    'container. The proxy limits that to reading.',
    '',
    '### On the host',
    '',
    '`setpriv` shows what a service manager does. The systemd options are `User=`, `SupplementaryGroups=` and',
    '`AmbientCapabilities=`.',
    '',
    '```sh',
    'sudo setpriv --reuid portlight --regid portlight --groups docker \\',
    '  --inh-caps=-all,+dac_read_search,+sys_ptrace --ambient-caps=-all,+dac_read_search,+sys_ptrace portlight run',
    '```',
    '',
    '### In a container',
    '',
    '`--cap-add` adds a capability to the bounding set of the container. Root in the container then has it, any other user does',
    'not (`CapEff` stays 0). So there are two ways:',
    '',
    '```sh',
    '# Root with one capability and a read-only view of the host. Its own log files are readable. Add DAC_READ_SEARCH to read',
    '# those of a daemon with userns-remap, and to count the open sockets of all users. Without other capabilities, root has to',
    '# own the socket or be in its group.',
    'docker run -d --name portlight --user 0 --group-add "$(stat -c %g /run/portlight/docker.sock)" --cap-drop ALL \\',
    '  --cap-add SYS_PTRACE --security-opt no-new-privileges --read-only --pid host \\',
    '  -v /run/portlight:/run/portlight -v /:/host:ro -v portlight:/var/lib/portlight:nocopy \\',
    '  portlight run --docker-host unix:///run/portlight/docker.sock --rootfs /host --data-dir /var/lib/portlight',
    '',
    '# No capability: a user in the group of the socket. Logs come through the API, and there are no namespaces.',
    'docker run -d --name portlight --group-add "$(stat -c %g /run/portlight/docker.sock)" --cap-drop ALL \\',
    '  --security-opt no-new-privileges --read-only --pid host \\',
    '  -v /run/portlight:/run/portlight -v portlight:/var/lib/portlight \\',
    '  portlight run --docker-host unix:///run/portlight/docker.sock --data-dir /var/lib/portlight',
    '```',
    '',
    'Root without CAP_DAC_OVERRIDE writes only to what it owns, such as a volume with `nocopy`. [deployment.md](deployment.md)',
    'has Compose, Swarm, Kubernetes and systemd configurations of the same kind.',
    '',
    'Where AppArmor confines containers, the profile `docker-default` allows access to processes of the same profile, but not to',
    "the host's. To recognise the host's own namespaces, add `--security-opt apparmor=unconfined` (not tested here).",
    '',
    'File capabilities on `node` would give another user than root what `--cap-add` cannot. They do not work together with',
    '`no-new-privileges`, and the program does not start where the capabilities are not in the bounding set.',
    '',
    '## Socket proxy',
    '',
    '[config/socket-proxy/haproxy.cfg](../config/socket-proxy/haproxy.cfg) configures HAProxy to pass GET and HEAD requests for',
    'these paths, and to answer everything else with 403: other methods, other paths, `..`, and a WebSocket that would also write.',
    'The agent sends no other requests. A test runs it and its commands through the proxy, and checks that each path is requested',
    'and none is missing.',
    '',
    ...tableOf(
      ['GET', 'without it'],
      daemonRequests.map(({ path, without }) => [`\`${path}\``, without ?? 'the agent cannot work']),
    ),
    '',
    '```sh',
    '# Only the proxy is in the group docker. Members of the group portlight can use its socket.',
    'sudo groupadd --system portlight && sudo usermod --append --groups docker,portlight haproxy',
    'sudo install -d -o haproxy -g portlight -m 750 /run/portlight',
    'sudo PORTLIGHT_GID="$(getent group portlight | cut -d: -f3)" \\',
    '  setpriv --reuid haproxy --regid haproxy --init-groups haproxy -W -f config/socket-proxy/haproxy.cfg',
    'portlight run --docker-host unix:///run/portlight/docker.sock',
    '```',
    '',
    'Limit: `/containers/{id}/json` contains the environment of each container, including secrets. The agent does not export it,',
    'but everyone who can use the socket can read it.',
    '',
    '## hidepid, userns-remap, rootless',
    '',
    "- `/proc` with `hidepid=1` or `2` hides other users' processes. CAP_SYS_PTRACE shows them. So does the group that the mount",
    '  names (`gid=`); its members get metrics, but no namespaces.',
    "- With `userns-remap` the daemon's files belong to another user. Nothing changes for the agent.",
    '- For rootless Docker and Podman, run the agent as the same user. Namespaces then need no capability. The agent finds the',
    '  socket `$XDG_RUNTIME_DIR/docker.sock`; name the one of Podman with `--docker-host`.',
    '- Podman calls its log driver json-file but writes another format. Its logs are read through the API, with times in whole',
    '  seconds.',
    '',
  ].join('\n');
}
