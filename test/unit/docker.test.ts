import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseEvent } from '../../collectors/docker/event-stream.ts';
import { hostOf, isThisHost } from '../../collectors/docker/host.ts';
import {
  accessHint,
  connectToDaemon,
  NEWEST_API,
  outdatedApiWarning,
} from '../../collectors/engine/client.ts';
import { findDaemonEndpoint } from '../../collectors/engine/daemon-endpoint.ts';
import { daemonRequests, requestPattern } from '../../collectors/engine/requests.ts';
import { formatSince, parseEngineTime } from '../../collectors/engine/time.ts';
import { nameOfAction } from '../../collectors/lifecycle/actions.ts';
import { classifyEvent } from '../../collectors/lifecycle/docker-event.ts';
import { eventRecord } from '../../collectors/lifecycle/event-record.ts';
import { parseImageReference, resourceAttributes } from '../../collectors/lifecycle/identity.ts';
import { fakeDaemon } from '../support/fake-daemon.ts';
import { temporaryDirectory } from '../support/temporary.ts';

test('the daemon is found in the order of the docker command', (t) => {
  const home = temporaryDirectory(t);
  const id = createHash('sha256').update('lab').digest('hex');
  const meta = join(home, '.docker/contexts/meta', id);
  const tls = join(home, '.docker/contexts/tls', id, 'docker');
  for (const directory of [meta, tls]) mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(meta, 'meta.json'),
    JSON.stringify({ Name: 'lab', Endpoints: { docker: { Host: 'tcp://lab:2376' } } }),
  );
  writeFileSync(join(tls, 'ca.pem'), 'CA');
  writeFileSync(join(home, '.docker/config.json'), JSON.stringify({ currentContext: 'lab' }));

  t.is(findDaemonEndpoint('unix:///x', { HOME: home, DOCKER_HOST: 'tcp://y' }).host, 'unix:///x');
  t.is(findDaemonEndpoint(undefined, { HOME: home, DOCKER_HOST: 'tcp://y' }).host, 'tcp://y');
  const chosen = findDaemonEndpoint(undefined, { HOME: home });
  t.is(chosen.host, 'tcp://lab:2376');
  t.is(chosen.origin, 'Docker context "lab"');
  t.is(String(chosen.tls?.ca), 'CA');
  t.is(findDaemonEndpoint(undefined, { HOME: home, DOCKER_CONTEXT: 'lab' }).host, 'tcp://lab:2376');
  t.throws(() => findDaemonEndpoint(undefined, { HOME: home, DOCKER_CONTEXT: 'gone' }), {
    message: /context "gone" does not exist/,
  });
  t.is(findDaemonEndpoint(undefined, { HOME: '/nonexistent' }).host, 'unix:///var/run/docker.sock');
});

test('the client refuses to write, and sends nothing', async (t) => {
  const docker = connectToDaemon({ host: 'unix:///nonexistent.sock', origin: 'test' });
  for (const write of [
    () => docker.createContainer({ Image: 'x' }),
    () => docker.getContainer('x').stop(),
    () => docker.getContainer('x').remove(),
    () => docker.getContainer('x').putArchive('x', { path: '/' }),
  ]) {
    await t.throwsAsync(async () => write(), { message: /read-only/ });
  }
  for (const read of [() => docker.listSecrets(), () => docker.getContainer('x').export()]) {
    await t.throwsAsync(async () => read(), { message: /not in the agent's list of requests/ });
  }
  await t.throwsAsync(docker.ping(), { code: 'ENOENT' });
  t.throws(() => connectToDaemon({ host: 'ftp://x', origin: 'test' }), {
    message: /^test: "ftp:\/\/x" is not supported; expected unix/,
  });
});

test("the socket proxy allows the agent's requests and no others", (t) => {
  const file = join(import.meta.dirname, '../../config/socket-proxy/haproxy.cfg');
  const allowed = [...readFileSync(file, 'utf8').matchAll(/^ *acl is_known path_reg (.*)$/gm)].map(
    ([, path]) => path,
  );
  const versioned = daemonRequests.map((request) => requestPattern(request).replace('^', '^(/v1\\.[0-9]+)?'));
  t.deepEqual(allowed, versioned);
});

test.serial('a client connects to its endpoint, whatever DOCKER_HOST is', (t) => {
  const before = process.env.DOCKER_HOST;
  t.teardown(() => {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
  });
  const goesTo = (host: string) => {
    const { modem } = connectToDaemon({ host, origin: 'test' }) as unknown as {
      modem: { host?: string; port?: number; socketPath?: string; protocol: string };
    };
    return modem;
  };
  for (const elsewhere of ['tcp://elsewhere:1', 'ssh://elsewhere']) {
    process.env.DOCKER_HOST = elsewhere;
    t.like(goesTo('unix:///a.sock'), { host: undefined, socketPath: '/a.sock', protocol: 'http' });
    t.is(process.env.DOCKER_HOST, elsewhere);
  }
  t.like(goesTo('tcp://x'), { host: 'x', port: 2375, protocol: 'http' });
  t.like(goesTo('https://x'), { host: 'x', port: 2376, protocol: 'https' });
  t.like(goesTo('https://x:443'), { host: 'x', port: 443, protocol: 'https' });
  t.like(goesTo('http://x:80/'), { host: 'x', port: 80, protocol: 'http' });
});

test('the host attributes of a remote daemon come from its description', (t) => {
  const info = {
    Name: 'far',
    OSType: 'linux',
    OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
    OSVersion: '12',
    KernelVersion: '6.1.0-18-arm64',
    Architecture: 'aarch64',
    MemTotal: 1,
  };
  t.deepEqual(hostOf(info), {
    'host.name': 'far',
    'host.arch': 'arm64',
    'os.type': 'linux',
    'os.name': 'Debian GNU/Linux',
    'os.version': '12',
    'os.description': 'Linux 6.1.0-18-arm64',
  });
  // Older daemons and Podman leave fields out.
  t.deepEqual(hostOf({ Name: 'old', OperatingSystem: 'Alpine Linux v3.9' }), {
    'host.name': 'old',
    'os.name': 'Alpine Linux v3.9',
  });
  const here = {
    Name: hostname(),
    KernelVersion: release(),
    MemTotal: Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024,
  };
  t.true(isThisHost(here, '/proc', '/'));
  t.false(isThisHost({ ...here, Name: 'far' }, '/proc', '/'));
  t.false(isThisHost({ ...here, MemTotal: here.MemTotal + 1024 }, '/proc', '/'));
  t.false(isThisHost(here, '/nonexistent', '/'));
});

/** A daemon that supports a range of API versions. @returns the paths of the requests, and a client */
async function daemonOf(t: ExecutionContext, versions: { oldest: string; newest?: string | undefined }) {
  const paths: string[] = [];
  const minor = (version = '') => Number(version.split('.')[1]);
  const docker = await fakeDaemon(t, ({ url = '' }, response) => {
    paths.push(url);
    if (url === '/_ping') {
      if (versions.newest !== undefined) response.setHeader('api-version', versions.newest);
      return response.end('OK');
    }
    const asked = /^\/v([\d.]+)\//.exec(url)?.[1];
    const wrong = (what: string) =>
      response.writeHead(400).end(JSON.stringify({ message: `client version ${asked} is too ${what}` }));
    if (asked !== undefined && minor(asked) < minor(versions.oldest)) return wrong('old');
    if (asked !== undefined && minor(asked) > minor(versions.newest)) return wrong('new');
    return response.setHeader('content-type', 'application/json').end('{"ApiVersion":"1.0"}');
  });
  return { paths, docker };
}

test('the newest API version that both support is used, and negotiated once', async (t) => {
  for (const [newest, spoken] of [
    ['1.41', '/v1.41'],
    ['1.9', '/v1.9'],
    [NEWEST_API, `/v${NEWEST_API}`],
    ['1.60', `/v${NEWEST_API}`],
    [undefined, ''],
  ] as const) {
    const { paths, docker } = await daemonOf(t, { oldest: '1.1', newest });
    await Promise.all([docker.version(), docker.info()]);
    await docker.version();
    t.deepEqual(paths.toSorted(), ['/_ping', `${spoken}/info`, `${spoken}/version`, `${spoken}/version`]);
  }
});

test('the version is negotiated again with a replaced daemon; an error about a too new one says what to do', async (t) => {
  const versions = { oldest: '1.24', newest: '1.48' };
  const { paths, docker } = await daemonOf(t, versions);
  await docker.version();
  versions.newest = '1.43';
  await t.throwsAsync(docker.version(), { message: /client version 1.48 is too new/ });
  await docker.version();
  t.is(paths.at(-1), '/v1.43/version');
  Object.assign(versions, { oldest: '1.60', newest: '1.70' });
  const error = await t.throwsAsync(docker.version());
  t.is(
    accessHint(error),
    `; this version of Portlight supports the Engine API up to ${NEWEST_API}. To fix: install a newer Portlight`,
  );
});

test('an aborted request does not wait for the negotiation of the version', async (t) => {
  const docker = await fakeDaemon(t, () => {});
  const giving = new AbortController();
  const asked: Promise<unknown> = docker.listContainers({ abortSignal: giving.signal });
  giving.abort(new Error('given up'));
  await t.throwsAsync(asked, { message: 'given up' });
});

test('an outdated API version is reported', (t) => {
  t.is(outdatedApiWarning('1.41'), undefined);
  t.is(outdatedApiWarning('1.100'), undefined);
  t.regex(outdatedApiWarning('1.40') ?? '', /^the Engine API 1.40 is older than 1.41/);
  t.regex(outdatedApiWarning('1.9') ?? '', /older/);
});

test('image references are split into name and tag', (t) => {
  t.deepEqual(parseImageReference('nginx'), { name: 'nginx', tag: undefined });
  t.deepEqual(parseImageReference('nginx:1.25'), { name: 'nginx', tag: '1.25' });
  t.deepEqual(parseImageReference('registry:5000/team/app'), {
    name: 'registry:5000/team/app',
    tag: undefined,
  });
  t.deepEqual(parseImageReference('registry:5000/team/app:2@sha256:ab'), {
    name: 'registry:5000/team/app',
    tag: '2',
  });
});

test("a resource has the service's name, and neither labels nor environment", (t) => {
  const labels = { 'com.docker.compose.service': 'web', 'com.docker.compose.project': 'shop', secret: 'x' };
  const known = { id: 'i', name: 'shop-web-1', image: 'nginx:1.25', imageId: 'sha256:ab', labels };
  t.deepEqual(
    resourceAttributes(known, { RepoTags: [], RepoDigests: ['nginx@sha256:cd'] }, { 'host.name': 'h' }),
    {
      'service.name': 'web',
      'service.namespace': 'shop',
      'container.id': 'i',
      'container.name': 'shop-web-1',
      'container.image.name': 'nginx',
      'container.image.tags': ['1.25'],
      'container.image.id': 'sha256:ab',
      'container.image.repo_digests': ['nginx@sha256:cd'],
      'host.name': 'h',
    },
  );
  const bare = resourceAttributes(
    { ...known, image: 'sha256:ab' },
    { RepoTags: ['nginx:1.26'], RepoDigests: [] },
    {},
  );
  t.is(bare['container.image.name'], 'nginx');
});

test('times keep their nanoseconds both ways, and "never" is 0', (t) => {
  t.is(parseEngineTime('2026-11-24T05:43:03.5Z'), 1_795_498_983_500_000_000n);
  t.is(parseEngineTime('2026-11-24T07:43:03.000000001+02:00'), 1_795_498_983_000_000_001n);
  t.is(parseEngineTime('0001-01-01T00:00:00Z'), 0n);
  t.is(parseEngineTime('nonsense'), 0n);
  t.is(formatSince(1_795_498_983_000_000_001n), '1795498983.000000001');
});

test('an event has its nanoseconds and its exit code, and never an exec command', (t) => {
  const line =
    '{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"exitCode":"137","image":"i","name":"web"}},"scope":"local","time":1795498983,"timeNano":1795498983000000001}';
  const record = eventRecord(classifyEvent(parseEvent(line)), { container: 'web' });
  t.is(record.time, 1_795_498_983_000_000_001n);
  t.is(record.eventName, 'docker.container.die');
  t.is(record.body, 'container web exited with code 137');
  t.is(record.attributes['process.exit.code'], 137);
  t.is(nameOfAction('container', 'exec_create: sh -c "echo $PASSWORD: x"'), 'exec_create');
  t.is(nameOfAction('container', 'health_status: unhealthy'), 'health_status.unhealthy');
  const execEvent = parseEvent(line.replace('"die"', '"exec_start: cat /secret"'));
  const exec = eventRecord(classifyEvent(execEvent), { container: 'web' });
  t.false(
    JSON.stringify(exec, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes(
      '/secret',
    ),
  );
});

test("an event's labels are never mistaken for its attributes", (t) => {
  const event = (action: string, attributes: Record<string, string>) =>
    eventRecord(
      classifyEvent(
        parseEvent(
          JSON.stringify({
            Type: 'container',
            Action: action,
            Actor: { ID: 'c1', Attributes: attributes },
            timeNano: 5,
          }),
        ),
      ),
      { container: 'web' },
    );
  const labels = { exitCode: 'abc', signal: 'q', container: 'zzz', oldName: 'x', timeNano: 'boom' };
  const predicates = { create: 'created', start: 'started', die: 'exited', exec_start: 'exec started' };
  for (const [action, predicate] of Object.entries(predicates)) {
    const { attributes, body } = event(action, labels);
    t.is(attributes['process.exit.code'], undefined);
    t.is(attributes['container.id'], undefined);
    t.is(attributes['docker.container.previous_name'], undefined);
    t.is(body, `container web ${predicate}`);
  }
  t.is(event('start', { exitCode: '3' }).attributes['process.exit.code'], undefined);
  t.is(event('die', { exitCode: '3' }).attributes['process.exit.code'], 3);
});
