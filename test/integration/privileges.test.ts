/** The rows of docs/privileges.md: an agent with the privileges of each row exports what the row says, and warns of the rest. */

import { chmodSync, existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type Docker from 'dockerode';
import { type DockerdOptions, IN_OWN_NETWORK } from '../../agent/setup/dockerd.ts';
import {
  type Feature,
  type FeatureOutcome,
  outcomesOf,
  type PrivilegeSetting,
  settings,
} from '../../agent/setup/privileges-page.ts';
import { connectToDaemon } from '../../collectors/engine/client.ts';
import { daemonRequests, findRequest } from '../../collectors/engine/requests.ts';
import { capabilityNames } from '../../collectors/namespaces/confinement.ts';
import { listenUrl, portlight, spawnAgent } from '../support/agent.ts';
import { ensureImage, execute, IMAGE, LABEL, runContainer } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import {
  asIdentity,
  type Identity,
  rootlessIdentity,
  rootlessRefused,
  SOMEBODY,
} from '../support/identity.ts';
import { bodiesOf, numbered } from '../support/logs.ts';
import { PODMAN_IMAGE, startPodman } from '../support/podman.ts';
import { Receiver } from '../support/receiver.ts';
import { socketProxy } from '../support/socket-proxy.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const LINES = 100;
/** Some lines at once, the rest over time: an agent starts in the middle. */
const SCRIPT = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo line $i; [ $((i % 10)) -ne 0 ] || sleep 1; done; exec sleep 600`;

// The tests are serial: each has many agents and a daemon. Thirteen agents start at the same time.
const PATIENCE_MS = 90_000;

interface StartedContainer {
  readonly name: string;
  readonly pid: number;
}

/** Starts a container of root and one of another user. */
async function startContainers(
  docker: Docker,
  image: string,
  more: Docker.HostConfig = {},
): Promise<StartedContainer[]> {
  const all: StartedContainer[] = [];
  for (const [name, User] of [
    ['of-root', ''],
    ['of-user', '1000'],
  ] as const) {
    const container = await docker.createContainer({
      name,
      User,
      Image: image,
      Cmd: ['sh', '-c', SCRIPT],
      Labels: { [LABEL]: 'true' },
      HostConfig: more,
    });
    await container.start();
    const { State } = await container.inspect();
    all.push({ name, pid: State.Pid });
  }
  return all;
}

interface Row {
  readonly setting: PrivilegeSetting;
  readonly host: string;
  readonly as?: Identity;
  /** Features that do not apply to these containers. */
  readonly not?: readonly Feature[];
  /** Whether the agent is restarted in the middle of the logs. */
  readonly restarts?: boolean;
}

/** Whether the receiver has the records of a feature, of one container. */
const isReported: Readonly<Record<Feature, (receiver: Receiver, container: StartedContainer) => boolean>> = {
  events: (receiver, { name }) =>
    receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.exec_start'),
  inventory: (receiver, { name }) => receiver.pointsOf(name, 'container.uptime').length > 1,
  cpu: (receiver, { name }) =>
    ['container.cpu.time', 'container.memory.usage', 'container.pids.current'].some(
      (metric) => receiver.pointsOf(name, metric).length > 0,
    ),
  network: (receiver, { name }) => receiver.pointsOf(name, 'container.network.io').length > 0,
  processes: (receiver, { name }) =>
    receiver.pointsOf(name, 'container.processes').some(({ value }) => value > 0),
  descriptors: (receiver, { name }) =>
    receiver.pointsOf(name, 'container.process.open_file_descriptors').length > 0,
  sockets: (receiver, { name }) => receiver.pointsOf(name, 'container.process.open_sockets').length > 0,
  namespaces: (receiver, { name, pid }) =>
    namespacesOf(receiver, name)['linux.namespace.net.inode'] ===
    Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0]),
  confinement: (receiver, { name }) =>
    namespacesOf(receiver, name)['container.security.capabilities'] !== undefined,
  logs: (receiver, { name }) => bodiesOf(receiver, name).length >= LINES,
  storage: (receiver, { name }) =>
    receiver.pointsOf(name, 'container.filesystem.usage').length > 0 &&
    receiver.logs.some(({ eventName }) => eventName === 'portlight.inventory.image'),
  host: (receiver) => receiver.points.some(({ name }) => name === 'system.cpu.time'),
};

const namespacesOf = (receiver: Receiver, name: string) =>
  receiver.logsOf(name).find(({ eventName }) => eventName === 'portlight.container.namespaces')?.attributes ??
  {};

/** Before Linux 6.2 descriptors can only be counted by listing them. */
const isCounted = statSync('/proc/self/fd').size > 0;

/** The row as it applies to this kernel. */
function onThisKernel(setting: PrivilegeSetting): PrivilegeSetting {
  if (isCounted || setting === settings.reader) return setting;
  const failedChecks = setting.failedChecks.flatMap((check) =>
    check === 'open sockets' ? ['open descriptors', check] : [check],
  );
  return { ...setting, failedChecks };
}

/** Runs an agent, and compares what it exports and warns of with its row. */
async function checkRow(
  t: ExecutionContext,
  { setting, host, as, not = [], restarts = false }: Row,
  containers: readonly StartedContainer[],
  act: () => Promise<void>,
): Promise<void> {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const common = {
    DOCKER_HOST: host,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
    PORTLIGHT_METRICS_ENABLE: 'process',
    PORTLIGHT_LISTEN: '127.0.0.1:0',
  };
  const dataDirectory = temporaryDirectory(t, as);
  const start = () => spawnAgent(t, { variables: common, as, dataDirectory });
  let agent = await start();
  if (restarts) {
    await waitFor(`${setting.name}: a line`, () => bodiesOf(receiver, 'of-user').length > 0);
    await agent.stop();
    agent = await start();
  }
  await act();
  const outcomes = Object.entries(outcomesOf(setting)) as [Feature, FeatureOutcome][];
  const isExpected = (outcome: FeatureOutcome, { name }: StartedContainer) =>
    outcome === "root's" ? name === 'of-root' : outcome !== false;
  for (const [feature, outcome] of outcomes) {
    if (not.includes(feature)) continue;
    for (const container of containers.filter((one) => isExpected(outcome, one)))
      await waitFor(
        `${setting.name}: ${feature} of ${container.name}; ${agent.stderr}`,
        () => isReported[feature](receiver, container),
        PATIENCE_MS,
      );
  }
  for (const { name } of containers)
    t.deepEqual(bodiesOf(receiver, name), numbered(LINES), `${setting.name}: every line of ${name} once`);
  const warnings = () =>
    agent.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { collector?: string; check?: string; msg: string })
      .filter(({ collector, check }) => collector !== undefined || check !== undefined);
  await waitFor(`${setting.name}: the warnings`, () => warnings().length >= setting.failedChecks.length);
  for (const [feature, outcome] of outcomes)
    for (const container of containers.filter((one) => !isExpected(outcome, one)))
      t.false(
        isReported[feature](receiver, container),
        `${setting.name}: no ${feature} of ${container.name}, and no zero`,
      );
  t.deepEqual(
    warnings()
      .map(({ check, msg }) => check ?? msg)
      .sort(),
    [...setting.failedChecks].sort(),
    `${setting.name}: one warning for each failed check, and no other`,
  );

  const { stdout } = await portlight(
    t,
    ['check', '-o', 'json', '--data-dir', temporaryDirectory(t, as)],
    common,
    as,
  );
  const findings = JSON.parse(stdout) as { check: string; status: string; found: string }[];
  t.deepEqual(
    findings.filter(({ status }) => status !== 'ok').map(({ check }) => check),
    [...setting.failedChecks],
    `${setting.name}: ${stdout}`,
  );
  const files = findings.find(({ check }) => check === 'log files')!;
  const where = outcomesOf(setting).logs === 'API' ? /^read through the API: / : /^2 read from files$/;
  if (files.status === 'ok') t.regex(files.found, where, setting.name);
  await agent.stop();
}

/** Runs the agents of several rows on the same containers at the same time. */
async function checkRows(
  t: ExecutionContext,
  docker: Docker,
  rows: readonly Row[],
  { image = IMAGE, ...more }: Docker.HostConfig & { image?: string } = {},
): Promise<void> {
  const containers = await startContainers(docker, image, more);
  let ready = 0;
  let acted: Promise<unknown> | undefined;
  // One exec for all agents, once all of them are ready.
  const act = async () => {
    ready++;
    await waitFor('all agents', () => ready === rows.length, PATIENCE_MS);
    acted ??= Promise.all(containers.map(({ name }) => execute(docker.getContainer(name), 'true')));
    await acted;
  };
  await Promise.all(
    rows.map((row) => checkRow(t, { ...row, setting: onThisKernel(row.setting) }, containers, act)),
  );
}

const somebody = (more: Partial<Identity> = {}): Identity => ({ uid: SOMEBODY, gid: SOMEBODY, ...more });
const [READ, TRACE] = ['dac_read_search', 'sys_ptrace'];
const root = { uid: 0, gid: 0 };

/** A daemon whose directory other users can enter, like /var/lib and /run. */
async function reachableDaemon(t: ExecutionContext, options: Partial<DockerdOptions> = {}) {
  const daemon = await ownDaemon(t, options);
  const socket = new URL(daemon.host).pathname;
  chmodSync(socket.slice(0, socket.lastIndexOf('/')), 0o711);
  return { ...daemon, group: statSync(socket).gid };
}

test.serial(
  'root, users in the group of the socket and users behind a proxy, with different capabilities',
  async (t) => {
    const { host, docker, group } = await reachableDaemon(t);
    const proxy = await socketProxy(t, host);
    const groups = [group];
    await checkRows(t, docker, [
      { setting: settings.root, host },
      { setting: settings.powerless, host, as: { ...root, capabilities: [] } },
      { setting: settings.traced, host, as: { ...root, capabilities: [TRACE] } },
      { setting: settings.capped, host, as: { ...root, capabilities: [READ, TRACE] } },
      { setting: settings.group, host, as: somebody({ groups }), restarts: true },
      { setting: settings.groupRoot, host, as: somebody({ groups: [group, 0] }) },
      { setting: settings.reader, host, as: somebody({ groups, capabilities: [READ] }) },
      { setting: settings.tracer, host, as: somebody({ groups, capabilities: [TRACE] }) },
      { setting: settings.both, host, as: somebody({ groups, capabilities: [READ, TRACE] }) },
      { setting: settings.proxied, host: proxy.host, as: somebody() },
      { setting: settings.proxiedBoth, host: proxy.host, as: somebody({ capabilities: [READ, TRACE] }) },
      { setting: settings.hidden, host, as: somebody({ groups, hidden: true }) },
      { setting: settings.hiddenTracer, host, as: somebody({ groups, hidden: true, capabilities: [TRACE] }) },
    ]);
  },
);

test.serial('userns-remap: root and users in the group of the socket', async (t) => {
  const { overlaid } = rootlessIdentity(t);
  const directory = temporaryDirectory(t);
  // The daemon checks that the root user of its containers can enter.
  chmodSync(directory, 0o711);
  const { host, docker, group } = await reachableDaemon(t, {
    directory,
    by: asIdentity({ ...root, overlaid }, IN_OWN_NETWORK),
    args: ['--userns-remap', 'somebody'],
  });
  const groups = [group];
  await checkRows(t, docker, [
    { setting: settings.remapRoot, host },
    { setting: settings.remapGroup, host, as: somebody({ groups }) },
    { setting: settings.remapBoth, host, as: somebody({ groups, capabilities: [READ, TRACE] }) },
  ]);
});

test.serial("rootless Docker: the daemon's user", async (t) => {
  const as = rootlessIdentity(t);
  const refused = rootlessRefused(as);
  if (refused !== undefined) {
    t.log(`not tested: this kernel gives users no user namespace: ${refused}`);
    t.pass();
    return;
  }
  const directory = temporaryDirectory(t, as);
  // Like dockerd-rootless.sh, with a new network namespace instead of slirp4netns.
  const rootless = [
    ['env', `HOME=${directory}`, `XDG_RUNTIME_DIR=${directory}`, `PATH=${process.env.PATH}:/usr/sbin:/sbin`],
    ['rootlesskit', '--net=host', '--copy-up=/etc', '--copy-up=/run', '--propagation=rslave'],
    [`--state-dir=${join(directory, 'rootlesskit')}`],
    ['sh', '-c', 'rm -f /run/docker /run/containerd /run/xtables.lock; exec "$@"', 'sh', ...IN_OWN_NETWORK],
  ].flat();
  const { host, docker } = await ownDaemon(t, {
    directory,
    by: asIdentity(as, rootless),
    args: ['--rootless'],
  });
  const { CgroupDriver } = await docker.info();
  if (CgroupDriver !== 'none') t.log(`not tested: this daemon has the cgroup driver ${CgroupDriver}`);
  await checkRows(t, docker, [
    {
      setting: CgroupDriver === 'none' ? settings.rootless : { name: 'rootless', failedChecks: [] },
      host,
      as,
    },
  ]);
});

test.serial("Podman: root, and rootless the service's user", async (t) => {
  const network = { NetworkMode: 'host', image: PODMAN_IMAGE };
  const asRoot = await startPodman(t);
  await checkRows(
    t,
    asRoot.podman,
    [{ setting: settings.podman, host: asRoot.host, not: ['network'], restarts: true }],
    network,
  );
  const as = rootlessIdentity(t);
  const refused = rootlessRefused(as);
  if (refused !== undefined) {
    t.log(`rootless is not tested: this kernel gives users no user namespace: ${refused}`);
    return;
  }
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    t.log('rootless is not tested: on cgroup v2 it depends on what systemd delegates');
    return;
  }
  const { host, podman } = await startPodman(t, as);
  await checkRows(t, podman, [{ setting: settings.podmanRootless, host, as, not: ['network'] }], network);
});

/** The status of the answer to a request, whose path is sent as it is. */
function statusOf(host: string, method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const requested = request({ socketPath: new URL(host).pathname, method, path }, (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    requested.on('error', reject).end();
  });
}

/** The requested path as the Engine API's reference writes it. */
const pathsOf = (requested: readonly string[]) =>
  new Set(requested.map((line) => findRequest(line.split(' ')[1]!.replace(/^\/v1\.\d+/, ''))?.path ?? line));

test.serial(
  'the socket proxy passes every request of the agent and its commands, and no other',
  async (t) => {
    const { host, docker } = await reachableDaemon(t);
    const proxy = await socketProxy(t, host);
    const as = somebody({ capabilities: [TRACE] });
    const [observed] = await Promise.all(
      ['json-file', 'none'].map(async (Type) => {
        const container = await docker.createContainer({
          name: `driver-${Type}`,
          Image: IMAGE,
          Cmd: ['sh', '-c', 'while :; do echo line; sleep 0.2; done'],
          Env: ['SECRET=hush'],
          HostConfig: { LogConfig: { Type, Config: {} }, Binds: ['data:/data'] },
        });
        await container.start();
        return container;
      }),
    );
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const variables = {
      DOCKER_HOST: proxy.host,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_LISTEN: '127.0.0.1:0',
    };
    const agent = await spawnAgent(t, { variables, as });
    // An agent that sees no process requests what the kernel would show.
    const blind = await spawnAgent(t, { variables, as: somebody({ hidden: true }) });
    for (const name of ['driver-json-file', 'driver-none'])
      await waitFor(`lines of ${name}; ${agent.stderr}`, () => bodiesOf(receiver, name).includes('line'));
    await waitFor('networks and volumes', () =>
      ['network', 'volume'].every((kind) =>
        receiver.logs.some(({ eventName }) => eventName === `portlight.inventory.${kind}`),
      ),
    );
    await waitFor(
      'disk use',
      () => receiver.pointsOf('driver-none', 'container.filesystem.usage').length > 0,
    );
    const { Image } = await observed!.inspect();
    const page = await fetch(`${await listenUrl(agent)}/api/image?id=${Image}`);
    t.is(page.status, 200, 'its layers');
    for (const command of [
      ['ps'],
      ['images'],
      ['info'],
      ['namespaces'],
      ['events'],
      ['logs', 'driver-json-file'],
    ]) {
      const { code, stderr } = await portlight(t, command, variables, as);
      t.is(code, 0, `${command}: ${stderr}`);
    }
    await connectToDaemon({ host: proxy.host, origin: 'test' }).ping();
    await waitFor('its stats', () => proxy.requests().some((line) => /^GET \/\S*\/stats 200$/.test(line)));
    await Promise.all([agent.stop(), blind.stop()]);
    await waitFor('the end of its streams', () =>
      proxy.requests().some((line) => /^GET \S*\/events /.test(line)),
    );
    const requests = proxy.requests();
    // A log driver that keeps no log answers with 501.
    t.deepEqual(
      requests.filter((line) => !/^GET .* (200|101|501)$/.test(line)),
      [],
    );
    t.deepEqual(
      [...pathsOf(requests)].sort(),
      daemonRequests.map(({ path }) => path).sort(),
      'every allowed path is requested',
    );
    t.false(JSON.stringify(receiver.logs, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).includes('hush'));

    const others = [
      ...['POST', 'PUT', 'DELETE', 'PATCH'].map((method) => [method, '/containers/driver-none/json']),
      ['POST', '/containers/create'],
      ['POST', '/containers/driver-none/exec'],
      ...['secrets', 'configs', 'swarm', 'nodes', 'plugins', 'images/get', 'distribution/x/json'].map(
        (path) => ['GET', `/${path}`],
      ),
      ...['archive?path=/etc/passwd', 'export', 'changes', 'top', 'attach/ws?stdin=1&stream=1'].map(
        (path) => ['GET', `/containers/driver-none/${path}`],
      ),
      ['GET', '/images/../secrets/json'],
      ['GET', '/images/%2e%2e/secrets/json'],
      ['GET', '/v1.41/../containers/x/export'],
    ];
    for (const [method, path] of others)
      t.is(await statusOf(proxy.host, method!, path!), 403, `${method} ${path}`);
    t.is(await statusOf(proxy.host, 'HEAD', '/_ping'), 200);
    t.is(await statusOf(proxy.host, 'GET', '/v1.41/version'), 200);
  },
);

test.serial(
  'a proxy that refuses more requests costs only what they provide, and the agent names them',
  async (t) => {
    const without =
      (...paths: string[]) =>
      (shipped: string) =>
        shipped
          .split('\n')
          .filter((line) => !paths.some((path) => line.endsWith(`${path}$`)))
          .join('\n');
    const { host, docker } = await reachableDaemon(t);
    await startContainers(docker, IMAGE);
    const less = await socketProxy(t, host, without('/volumes', '/system/df'));
    const as = somebody();
    const receiver = await Receiver.start();
    t.teardown(() => receiver.stop());
    const variables = { DOCKER_HOST: less.host, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
    const agent = await spawnAgent(t, { variables, as });
    await waitFor(
      'networks, rounds and lines',
      () =>
        receiver.logs.some(({ eventName }) => eventName === 'portlight.inventory.network') &&
        receiver.pointsOf('of-user', 'container.cpu.time').length > 4 &&
        bodiesOf(receiver, 'of-root').length === LINES,
    );
    // A new volume causes another request.
    await docker.createVolume({ Name: 'new' });
    await waitFor(
      'another request',
      () => less.requests().filter((line) => /^GET \S*\/volumes 403$/.test(line)).length > 2,
    );
    for (const text of ['GET /volumes is refused: no volumes', 'GET /system/df is refused: no disk use'])
      t.is(agent.stderr.split(text).length - 1, 1, agent.stderr);
    const options = [
      'check',
      '-o',
      'json',
      '--data-dir',
      temporaryDirectory(t, as),
      '--listen',
      '127.0.0.1:0',
    ];
    const finding = async (host: string) => {
      const { code, stdout } = await portlight(t, options, { ...variables, DOCKER_HOST: host }, as);
      const findings = JSON.parse(stdout) as { check: string; status: string; found: string }[];
      return { code, ...findings.find(({ check }) => check === 'engine API requests')! };
    };
    const found = await finding(less.host);
    t.is(found.status, 'warn');
    t.is(found.found, 'GET /volumes is refused: no volumes; GET /system/df is refused: no disk use');
    t.is(found.code, 0);
    const none = await finding((await socketProxy(t, host, without('/events'))).host);
    t.is(none.status, 'fail');
    t.is(none.found, 'GET /events is refused: the agent cannot work without it');
    t.is(none.code, 1);
    const uninformed = await finding((await socketProxy(t, host, without('/info'))).host);
    t.is(uninformed.status, 'warn');
    t.is(uninformed.code, 0);
  },
);

test.serial(
  'capabilities that are added to a container apply to its root user and to no other',
  async (t) => {
    const effective = async (User: string) => {
      const container = await runContainer(t, {
        script: 'exec sleep 600',
        create: { User },
        host: { CapDrop: ['ALL'], CapAdd: ['DAC_READ_SEARCH', 'SYS_PTRACE'] },
      });
      const { State } = await container.inspect();
      return capabilityNames(
        /^CapEff:\s+(\w+)$/m.exec(readFileSync(`/proc/${State.Pid}/status`, 'utf8'))![1]!,
      );
    };
    await ensureImage();
    t.deepEqual(await effective(''), ['DAC_READ_SEARCH', 'SYS_PTRACE']);
    t.deepEqual(await effective(String(SOMEBODY)), []);
  },
);
