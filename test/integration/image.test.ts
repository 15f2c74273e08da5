/** The container image: its contents, and its work without privileges. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import test from 'ava';
import { extract, type Header } from 'tar-stream';
import { productionDependencies } from '../../agent/setup/licenses-page.ts';
import manifest from '../../package.json' with { type: 'json' };
import { docker, ensureImage, execute, FLOOD, LABEL, runContainer, uniqueName } from '../support/docker.ts';
import { ensurePortlightImage, IMAGE_MS, PORTLIGHT_IMAGE } from '../support/image.ts';
import { freePort } from '../support/port.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

const MAX_BYTES_ABOVE_NODE = 60e6;
const NODE = 'usr/local/bin/node';

interface Content {
  /** Every file and directory, by path without the leading slash. */
  readonly headers: ReadonlyMap<string, Header>;
  /** Content of JSON files, parsed. */
  readonly texts: ReadonlyMap<string, string>;
}

/** The root file system of a container of the image. */
async function contentOf(image: string): Promise<Content> {
  const container = await docker.createContainer({ Image: image, Labels: { [LABEL]: 'true' } });
  try {
    const headers = new Map<string, Header>();
    const texts = new Map<string, string>();
    const entries = extract();
    const unpacked = pipeline(await container.export(), entries);
    for await (const entry of entries) {
      const path = entry.header.name.replace(/^\.?\/|\/$/g, '');
      headers.set(path, entry.header);
      if (path.endsWith('.json')) texts.set(path, await text(entry));
      else entry.resume();
    }
    await unpacked;
    return { headers, texts };
  } finally {
    await container.remove({ v: true });
  }
}

let content: Content;

test.before(async (t) => {
  t.timeout(IMAGE_MS);
  await ensureImage();
  await ensurePortlightImage();
  content = await contentOf(PORTLIGHT_IMAGE);
});

const pathsWith = (probe: (path: string, header: Header) => boolean): string[] =>
  [...content.headers].filter(([path, header]) => probe(path, header)).map(([path]) => path);

test('the image has labels, a user and a health check', async (t) => {
  const { Config: config } = await docker.getImage(PORTLIGHT_IMAGE).inspect();
  t.regex(config.User, /^[1-9]\d*:[1-9]\d*$/);
  t.deepEqual(config.Healthcheck?.Test, ['CMD', 'portlight', 'check', '--live']);
  const label = (name: string) => config.Labels[`org.opencontainers.image.${name}`];
  t.is(label('version'), manifest.version);
  t.is(label('licenses'), manifest.license);
  t.is(`git+${label('source')}.git`, manifest.repository.url);
  for (const name of ['title', 'description', 'url', 'documentation']) t.truthy(label(name), name);
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%H %cI'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  t.is(`${label('revision')} ${label('created')}`.trim(), stdout.trim());
});

test('the image has no setuid files and no world-writable files', (t) => {
  t.deepEqual(
    pathsWith((_, { type, mode }) => type !== 'symlink' && type !== 'directory' && (mode! & 0o6000) !== 0),
    [],
    'no setuid, no setgid',
  );
  t.deepEqual(
    pathsWith((_, { type, mode }) => {
      const isSticky = type === 'directory' && (mode! & 0o1000) !== 0;
      return type !== 'symlink' && (mode! & 0o002) !== 0 && !isSticky;
    }),
    [],
    'nothing world-writable except directories like /tmp',
  );
  const { uid, mode } = content.headers.get('var/lib/portlight')!;
  t.is(mode! & 0o777, 0o700, 'what waits for a receiver is for nobody else');
  t.deepEqual(
    pathsWith((_, header) => header.uid === uid),
    ['var/lib/portlight'],
    'the agent owns its data directory but not its code',
  );
});

test('the image has Node and the agent, but no shell and no build tools', (t) => {
  t.deepEqual(
    pathsWith(
      (path, { type }) => /^(?!portlight\/).*\bs?bin\/[^/]+$/.test(path) && type !== 'directory',
    ).sort(),
    [NODE, 'usr/local/bin/portlight'],
    'no shell, no package manager, no compiler, no npm',
  );
  t.deepEqual(
    pathsWith((path) => /^(root|home\/\w+|tmp|var\/tmp|var\/cache|var\/lib\/(apt|dpkg)\/.*)\/.+/.test(path)),
    [],
    'no caches',
  );
  t.deepEqual(
    pathsWith((path) =>
      /^portlight\/.*(\.map|\.ts|\.tsbuildinfo)$|^portlight\/dist\/(test|agent\/setup)/.test(path),
    ),
    [],
    'no sources, types and maps',
  );
  const wanted = productionDependencies().map(({ name }) => name);
  const development = Object.keys(manifest.devDependencies).filter((name) => !wanted.includes(name));
  t.deepEqual(
    development.filter((name) => content.headers.has(`portlight/node_modules/${name}`)),
    [],
    'no development dependencies',
  );
  for (const name of Object.keys(manifest.dependencies))
    t.true(content.headers.has(`portlight/node_modules/${name}`), name);
});

test('the SBOM lists exactly the packages in the image', (t) => {
  const sbom = JSON.parse(content.texts.get('portlight/sbom.cdx.json')!);
  t.is(sbom.bomFormat, 'CycloneDX');
  t.is(sbom.metadata.component.purl, `pkg:npm/portlight@${manifest.version}`);
  const listed = (sbom.components as { name: string; version: string }[]).map(
    ({ name, version }) => `${name}@${version}`,
  );
  const installed = [...content.texts]
    .filter(([path]) => /^portlight\/(.*\/)?node_modules\/(@[^/]+\/)?[^@/]+\/package\.json$/.test(path))
    .map(([, json]) => JSON.parse(json) as { name: string; version: string })
    .map(({ name, version }) => `${name}@${version}`);
  t.deepEqual([...new Set(listed)].sort(), [...new Set(installed)].sort());
});

test('the image is at most 60 MB larger than its base with Node', async (t) => {
  const history = (await docker.getImage(PORTLIGHT_IMAGE).history()) as { Size: number }[];
  const node = content.headers.get(NODE)!.size!;
  const above = history.slice(
    0,
    history.findIndex(({ Size }) => Size >= node),
  );
  const bytes = above.reduce((sum, { Size }) => sum + Size, 0);
  t.log(`${(bytes / 1e6).toFixed(1)} MB above Node`);
  t.true(bytes > 0 && bytes <= MAX_BYTES_ABOVE_NODE, `${bytes} bytes`);
});

test('the image observes containers as nobody, without capabilities, on a read-only root', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const volume = uniqueName('data');
  t.teardown(() => docker.getVolume(volume).remove({ force: true }));
  const socket = new URL(process.env.DOCKER_HOST!).pathname;
  const agent = await docker.createContainer({
    name: uniqueName('agent'),
    Image: PORTLIGHT_IMAGE,
    Labels: { [LABEL]: 'true' },
    Healthcheck: { Interval: 1e9 },
    Env: [
      'PORTLIGHT_PROCFS=/host/proc',
      'PORTLIGHT_ROOTFS=/host',
      'PORTLIGHT_INTERVAL=500ms',
      `PORTLIGHT_LISTEN=127.0.0.1:${await freePort()}`,
      `PORTLIGHT_CONTAINERS_EXCLUDE=label=${FLOOD}`,
      `OTEL_EXPORTER_OTLP_ENDPOINT=${receiver.endpoint('http')}`,
    ],
    HostConfig: {
      NetworkMode: 'host',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      GroupAdd: [String(statSync(socket).gid)],
      Binds: [
        `${socket}:/var/run/docker.sock:ro`,
        '/proc:/host/proc:ro',
        '/sys/fs/cgroup:/sys/fs/cgroup:ro',
        '/:/host:ro',
        `${volume}:/var/lib/portlight`,
      ],
    },
  });
  t.teardown(() => agent.remove({ force: true, v: true }));
  await agent.start();
  const state = async () => (await agent.inspect()).State;
  const healthy = () =>
    waitFor('the agent to be healthy', async () => (await state()).Health?.Status === 'healthy');
  await healthy();

  const status = readFileSync(`/proc/${(await state()).Pid}/status`, 'utf8');
  t.regex(status, /^Uid:\t65532\t65532\t65532\t65532$/m);
  t.regex(status, /^CapEff:\t0+$/m);
  t.regex(status, /^NoNewPrivs:\t1$/m);

  const name = uniqueName('observed');
  const container = await runContainer(t, {
    name,
    script: 'echo one; until [ -e /more ]; do sleep 0.1; done; echo two; sleep 600',
  });
  const bodies = () =>
    receiver
      .logsOf(name)
      .filter(({ eventName }) => eventName === '')
      .map(({ body }) => body);
  await waitFor('the log line', () => bodies().includes('one'));
  await waitFor('the start event', () =>
    receiver.logsOf(name).some((record) => record.eventName === 'docker.container.start'),
  );
  for (const metric of ['container.cpu.time', 'container.memory.usage'])
    await waitFor(metric, () => receiver.pointsOf(name, metric).some(({ value }) => value > 0));

  await agent.stop();
  const { ExitCode } = await state();
  t.is(ExitCode, 0, 'the agent stops on SIGTERM');
  await agent.start();
  await healthy();
  await execute(container, 'touch /more');
  await waitFor('the later line', () => bodies().includes('two'));
  t.deepEqual(bodies(), ['one', 'two'], 'positions survive in the volume');
});
