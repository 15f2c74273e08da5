import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { nameOfAction } from '../../collectors/docker/actions.ts';
import { connect } from '../../collectors/docker/client.ts';
import { findEndpoint } from '../../collectors/docker/endpoint.ts';
import { eventRecord } from '../../collectors/docker/event-record.ts';
import { parseEvent } from '../../collectors/docker/event-stream.ts';
import { parseImageReference, resourceAttributes } from '../../collectors/docker/identity.ts';
import { patternOf, requests } from '../../collectors/docker/requests.ts';
import { formatSince, parseTime } from '../../collectors/docker/time.ts';

test('the daemon is found as the docker command finds it', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'portlight-test-'));
  t.teardown(() => rmSync(home, { recursive: true }));
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

  t.is(findEndpoint('unix:///x', { HOME: home, DOCKER_HOST: 'tcp://y' }).host, 'unix:///x');
  t.is(findEndpoint(undefined, { HOME: home, DOCKER_HOST: 'tcp://y' }).host, 'tcp://y');
  const chosen = findEndpoint(undefined, { HOME: home });
  t.is(chosen.host, 'tcp://lab:2376');
  t.is(chosen.origin, 'Docker context "lab"');
  t.is(String(chosen.tls?.ca), 'CA');
  t.is(findEndpoint(undefined, { HOME: home, DOCKER_CONTEXT: 'lab' }).host, 'tcp://lab:2376');
  t.throws(() => findEndpoint(undefined, { HOME: home, DOCKER_CONTEXT: 'gone' }), {
    message: /context "gone" does not exist/,
  });
  t.is(findEndpoint(undefined, { HOME: '/nonexistent' }).host, 'unix:///var/run/docker.sock');
});

test('the client refuses to write before anything is sent', async (t) => {
  const docker = connect({ host: 'unix:///nonexistent.sock', origin: 'test' });
  for (const write of [
    () => docker.createContainer({ Image: 'x' }),
    () => docker.getContainer('x').stop(),
    () => docker.getContainer('x').remove(),
    () => docker.getContainer('x').putArchive('x', { path: '/' }),
  ]) {
    await t.throwsAsync(async () => write(), { message: /read-only/ });
  }
  for (const read of [() => docker.listSecrets(), () => docker.getContainer('x').export()]) {
    await t.throwsAsync(async () => read(), { message: /none of the agent's requests/ });
  }
  await t.throwsAsync(docker.ping(), { code: 'ENOENT' });
  t.throws(() => connect({ host: 'ftp://x', origin: 'test' }), {
    message: /^test: "ftp:\/\/x" is not supported; expected unix/,
  });
});

test("a socket proxy lets pass the agent's requests, and no others", (t) => {
  const file = join(import.meta.dirname, '../../config/socket-proxy/haproxy.cfg');
  const allowed = [...readFileSync(file, 'utf8').matchAll(/^ *acl is_known path_reg (.*)$/gm)].map(
    ([, path]) => path,
  );
  const versioned = requests.map((request) => patternOf(request).replace('^', '^(/v1\\.[0-9]+)?'));
  t.deepEqual(allowed, versioned);
});

test('image references fall into name and tag', (t) => {
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

test('a resource names the service as a person would, and holds no labels and no environment', (t) => {
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

test('times are kept to the nanosecond both ways, and "never" is 0', (t) => {
  t.is(parseTime('2026-11-24T05:43:03.5Z'), 1_795_498_983_500_000_000n);
  t.is(parseTime('2026-11-24T07:43:03.000000001+02:00'), 1_795_498_983_000_000_001n);
  t.is(parseTime('0001-01-01T00:00:00Z'), 0n);
  t.is(parseTime('nonsense'), 0n);
  t.is(formatSince(1_795_498_983_000_000_001n), '1795498983.000000001');
});

test('an event keeps its nanoseconds, says its exit code, and never an exec command', (t) => {
  const line =
    '{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"exitCode":"137","image":"i","name":"web"}},"scope":"local","time":1795498983,"timeNano":1795498983000000001}';
  const record = eventRecord(parseEvent(line), { container: 'web' });
  t.is(record.time, 1_795_498_983_000_000_001n);
  t.is(record.eventName, 'docker.container.die');
  t.is(record.body, 'container web die with exit code 137');
  t.is(record.attributes['process.exit.code'], 137);
  t.is(nameOfAction('container', 'exec_create: sh -c "echo $PASSWORD: x"'), 'exec_create');
  t.is(nameOfAction('container', 'health_status: unhealthy'), 'health_status.unhealthy');
  const exec = eventRecord(parseEvent(line.replace('"die"', '"exec_start: cat /secret"')), {
    container: 'web',
  });
  t.false(
    JSON.stringify(exec, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes(
      '/secret',
    ),
  );
});

test("labels stand among an event's attributes, and are never taken for its facts", (t) => {
  const event = (action: string, attributes: Record<string, string>) =>
    eventRecord(
      parseEvent(
        JSON.stringify({
          Type: 'container',
          Action: action,
          Actor: { ID: 'c1', Attributes: attributes },
          timeNano: 5,
        }),
      ),
      { container: 'web' },
    );
  const labels = { exitCode: 'abc', signal: 'q', container: 'zzz', oldName: 'x', timeNano: 'boom' };
  for (const action of ['create', 'start', 'die', 'exec_start']) {
    const { attributes, body } = event(action, labels);
    t.is(attributes['process.exit.code'], undefined);
    t.is(attributes['container.id'], undefined);
    t.is(attributes['docker.container.previous_name'], undefined);
    t.is(body, `container web ${action}`);
  }
  t.is(event('start', { exitCode: '3' }).attributes['process.exit.code'], undefined);
  t.is(event('die', { exitCode: '3' }).attributes['process.exit.code'], 3);
});
