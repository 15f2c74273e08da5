/** Each deployment of docs/deployment.md, started as the page says: its records equal those of an agent on the host. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parseAllDocuments } from 'yaml';
import { VERSION } from '../../config/version.ts';
import { AgentProcess, CLI, portlight, spawnAgent } from '../support/agent.ts';
import { dockerCommand } from '../support/command.ts';
import {
  bridge,
  podCommand,
  prepareUnit,
  readUnit,
  recipe,
  shownCommand,
  write,
} from '../support/deployment.ts';
import { ensureImage, IMAGE, LABEL, runContainer, uniqueName } from '../support/docker.ts';
import { type OwnDaemon, ownDaemon } from '../support/dockerd.ts';
import { ensurePortlightImage, PORTLIGHT_IMAGE } from '../support/image.ts';
import { bodiesOf, numbered } from '../support/logs.ts';
import { Receiver, type Values } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

const run = promisify(execFile);
const ways = ['docker run', 'Compose', 'Swarm', 'Kubernetes', 'systemd'] as const;

/** The shipped configuration, with the options that need the most privileges, and a shorter interval. */
const configuration = `${recipe('portlight.yaml')}
interval: 1s
metrics: {enable: [process, portlight.container.namespace]}
logs: {file_place: true}
container_attributes: [namespaces, security]
`;

/** Runs the shell command `line`. */
const shell = (line: string, env: NodeJS.ProcessEnv, cwd?: string) =>
  run('sh', ['-c', line], { env: { ...process.env, ...env }, cwd });

const manifests = () =>
  parseAllDocuments(recipe('kubernetes/daemonset.yaml')).map((document) => document.toJS());

interface Place {
  readonly t: ExecutionContext;
  readonly daemon: OwnDaemon;
  /** Where it sends its records. */
  readonly gateway: string;
}

/** Replaces the usual socket by the daemon's, wherever it is the source of a mount. */
const withSocket = (text: string, { host }: OwnDaemon): string =>
  text.replace('/var/run/docker.sock:', `${new URL(host).pathname}:`);

const place = {
  async 'docker run'({ t, daemon, gateway }: Place) {
    const directory = write(t, { 'portlight.yaml': configuration });
    const shown = shownCommand('deployment.md', 'docker run');
    t.true(shown.includes('http://collector:4318') && shown.endsWith(`portlight:${VERSION}`));
    const command = withSocket(shown, daemon)
      .replace('http://collector:4318', gateway)
      // On cgroup v2 the daemon does this itself.
      .replace(/ (\S+)$/, ` --cgroupns private --volume ${directory}:/etc/portlight:ro $1`);
    await shell(command, { DOCKER_HOST: daemon.host });
  },
  async Compose({ t, daemon, gateway }: Place) {
    const text = withSocket(recipe('compose/compose.yaml'), daemon);
    const directory = write(t, { 'compose/compose.yaml': text, 'portlight.yaml': configuration });
    const env = { DOCKER_HOST: daemon.host, GATEWAY: gateway };
    await shell('docker-compose up --detach', env, join(directory, 'compose'));
  },
  async Swarm({ t, daemon, gateway }: Place) {
    await dockerCommand(['swarm', 'init', '--advertise-addr', '127.0.0.1'], daemon.host);
    const text = withSocket(recipe('swarm/stack.yaml'), daemon);
    const directory = write(t, { 'swarm/stack.yaml': text, 'portlight.yaml': configuration });
    const env = { DOCKER_HOST: daemon.host, GATEWAY: gateway };
    await shell('docker stack deploy --compose-file stack.yaml portlight', env, join(directory, 'swarm'));
  },
  /** The containers that the kubelet would run. */
  async Kubernetes({ t, daemon, gateway }: Place) {
    const { spec } = manifests().at(-1).spec.template;
    const values = { GATEWAY: gateway, NODE_NAME: 'node-7' };
    const sources = {
      docker: new URL(daemon.host).pathname,
      config: write(t, { 'portlight.yaml': configuration }),
      data: temporaryDirectory(t),
    };
    await dockerCommand(podCommand(spec, values, sources), daemon.host);
  },
  async systemd({ t, daemon, gateway }: Place) {
    const unit = readUnit(recipe('systemd/portlight.service'));
    t.is(unit.get('SupplementaryGroups'), 'docker');
    const { stdout: group } = await run('stat', ['--format=%g', new URL(daemon.host).pathname]);
    const { command, variables } = prepareUnit(t, unit, Number(group));
    const [program, ...args] = unit.get('ExecStart')!.split(' ');
    t.is(program, 'portlight');
    const [first = '', ...rest] = [...command, process.execPath, CLI, ...args];
    const directory = write(t, { 'portlight.yaml': configuration });
    const child = spawn(first, rest, {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...{ PATH: process.env.PATH, DOCKER_HOST: daemon.host, GATEWAY: gateway, ...variables },
        ...{ PORTLIGHT_CONFIG: join(directory, 'portlight.yaml'), PORTLIGHT_LISTEN: '127.0.0.1:0' },
      },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.on('exit', (code) => code === null || t.log(said));
    await waitFor('its state', () => existsSync(join(variables.STATE_DIRECTORY, 'version')));
  },
};

/** Attributes in a fixed order. */
function described(resource: Values): string {
  const entries = Object.entries(resource).sort(([one], [other]) => one.localeCompare(other));
  return JSON.stringify(Object.fromEntries(entries));
}

/** All records of a container, each once. For one that exits soon, only those that do not depend on timing. */
function recordsOf(receiver: Receiver, name: string, lasts: boolean): string[] {
  const isOf = ({ resource }: { resource: Values }) => resource['container.name'] === name;
  const points = lasts ? receiver.points.filter(isOf) : [];
  const lines = receiver.logsOf(name).filter(({ eventName }) => eventName === '');
  const events = receiver
    .logsOf(name)
    .filter(({ eventName }) => (lasts ? eventName !== '' : eventName.startsWith('docker.')));
  return [
    ...lines.map(({ body, attributes }) => `log ${body} ${'log.file.path' in attributes}`),
    ...events.map(
      ({ eventName, attributes }) => `event ${eventName} ${lasts ? Object.keys(attributes).sort() : ''}`,
    ),
    ...points.map((point) => `metric ${point.name} ${Object.keys(point.attributes)}`),
    ...receiver.spansOf(name).map((span) => `span ${span.name}`),
    // The last one has all attributes.
    ...points.slice(-1).map(({ resource }) => `resource ${described(resource)}`),
  ]
    .filter((record, index, all) => all.indexOf(record) === index)
    .sort();
}

test.before(async () => {
  await ensureImage();
  await ensurePortlightImage();
});

test('docker run, Compose, Swarm, a pod and a unit: each sends the records that an agent on the host sends', async (t) => {
  t.timeout(240_000);
  const daemon = await ownDaemon(t, { ownMounts: true });
  await shell(`docker save ${PORTLIGHT_IMAGE} | docker --host ${daemon.host} load`, {});
  const receivers = await Promise.all([...ways, 'host'].map(() => Receiver.start()));
  for (const receiver of receivers) t.teardown(() => receiver.stop());
  const onHost = receivers.at(-1)!;
  const gateways = await bridge(t, daemon.pid, receivers);
  const file = join(write(t, { 'portlight.yaml': configuration }), 'portlight.yaml');
  const direct = new AgentProcess(
    ['run', '--config', file, '--listen', '127.0.0.1:0', '--data-dir', temporaryDirectory(t)],
    { DOCKER_HOST: daemon.host, GATEWAY: onHost.endpoint('http') },
    temporaryDirectory(t),
  );
  t.teardown(async () => {
    direct.kill('SIGKILL');
    await direct.exit;
  });
  for (const [index, way] of ways.entries()) {
    const gateway = way === 'systemd' ? receivers[index]!.endpoint('http') : gateways[index]!;
    await place[way]({ t, daemon, gateway });
  }
  for (const [index, way] of [...ways, 'host'].entries())
    await waitFor(`the first round of ${way}`, () => receivers[index]!.points.length > 0, 60_000);

  const own = () => receivers[0]!.pointsOf('portlight', 'container.memory.usage').length > 0;
  await waitFor("the agent's own container", own);

  const [lasting, brief] = [uniqueName('lasting'), uniqueName('brief')];
  const labels = ['--label', `${LABEL}=true`, '--label', 'com.docker.compose.service=web'];
  const start = (name: string, script: string, ...options: string[]) =>
    dockerCommand(
      ['run', '--detach', '--name', name, ...labels, ...options, IMAGE, 'sh', '-c', script],
      daemon.host,
    );
  await start(lasting, 'echo up; echo down >&2; while :; do sleep 0.2; done', '--memory', '64m', '--init');
  await start(brief, 'echo here; exit 3');
  await dockerCommand(['wait', brief], daemon.host);
  await dockerCommand(['rm', brief], daemon.host);
  await waitFor('the exit on the host', () =>
    onHost.logsOf(brief).some(({ eventName }) => eventName === 'docker.container.destroy'),
  );
  const all = (receiver: Receiver) => [recordsOf(receiver, lasting, true), recordsOf(receiver, brief, false)];
  const expected = () => all(onHost);
  await waitFor(
    'three rounds on the host',
    () => onHost.pointsOf(lasting, 'container.cpu.time').length >= 12,
  );
  t.true(expected()[0]!.includes('log up true'), 'logs come from files');
  t.true(expected()[0]!.some((record) => record.startsWith('metric portlight.container.namespace ')));
  t.true(expected()[1]!.includes('log here true'));
  for (const [index, way] of ways.entries()) {
    const here = () => all(receivers[index]!);
    await waitFor(`the same records by ${way}`, () => `${here()}` === `${expected()}`).catch(() => {});
    t.deepEqual(here(), expected(), way);
    t.true(receivers[index]!.pointsOf(lasting, 'container.processes').at(-1)!.value >= 2, way);
  }
});

test('systemd accepts the unit, and its exposure is at most what docs/deployment.md says', async (t) => {
  const directory = write(t, { portlight: '#!/bin/sh\n' });
  const unit = recipe('systemd/portlight.service').replace(/^ExecStart=portlight/m, 'ExecStart=/bin/true');
  const path = join(write(t, { 'portlight.service': unit }), 'portlight.service');
  const verified = await run('systemd-analyze', ['verify', path], { cwd: directory });
  t.is(verified.stdout + verified.stderr, '');
  const page = readFileSync(join(import.meta.dirname, '../../docs/deployment.md'), 'utf8');
  const [, exposure, most] = /exposure of ([\d.]+) of 10[^;]*; a test keeps it at ([\d.]+)/.exec(page)!;
  t.true(Number(exposure) <= Number(most));
  const threshold = `--threshold=${Number(most) * 10}`;
  await t.notThrowsAsync(
    run('systemd-analyze', ['security', '--offline=true', '--no-pager', threshold, path]),
  );
  await t.throwsAsync(run('systemd-analyze', ['security', '--offline=true', '--threshold=1', path]));
});

test('the DaemonSet matches the Kubernetes schema', async (t) => {
  const [{ Namespace, ServiceAccount, ConfigMap }, { DaemonSet }] = await Promise.all([
    import('kubernetes-models/v1'),
    import('kubernetes-models/apps/v1'),
  ]);
  const models = { Namespace, ServiceAccount, ConfigMap, DaemonSet };
  const all = manifests();
  t.deepEqual(
    all.map(({ kind }) => kind),
    Object.keys(models),
  );
  for (const manifest of all)
    t.notThrows(() => new models[manifest.kind as keyof typeof models](manifest).validate(), manifest.kind);
  const wrong = all.at(-1);
  wrong.spec.template.spec.containers[0].livenessProbe.httpGet.port = {};
  t.throws(() => new DaemonSet(wrong).validate());
});

test('an upgrade continues from the data of 0.1.0, and an agent refuses the data of a newer one', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') };
  const old = await spawnAgent(t, { variables, dataDirectory });
  const name = uniqueName('upgrade');
  const script = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done';
  await runContainer(t, { name, script });
  await waitFor('some lines', () => bodiesOf(receiver, name).length > 10);
  // From now on everything waits in the spool, and the old agent leaves it behind.
  receiver.fault = () => ({ status: 503 });
  const before = bodiesOf(receiver, name).length;
  await waitFor('lines to wait', () => receiver.refused.some(({ body }) => body === `line ${before + 10}`));
  t.is((await old.stop()).code, 0);
  const mark = join(dataDirectory, 'version');
  t.is(readFileSync(mark, 'utf8'), '1\n');
  // That version wrote no version file.
  rmSync(mark);
  receiver.fault = () => undefined;
  const upgraded = await spawnAgent(t, { variables, dataDirectory });
  t.is(readFileSync(mark, 'utf8'), '1\n');
  await waitFor(
    'the lines that waited, and more',
    () => bodiesOf(receiver, name).length > before + 50,
    60_000,
  );
  await upgraded.stop();
  const lines = bodiesOf(receiver, name);
  t.deepEqual(lines, numbered(lines.length), `each line once: ${old.stderr}${upgraded.stderr}`);

  writeFileSync(mark, '2\n');
  const kept = () => readdirSync(dataDirectory, { recursive: true, encoding: 'utf8' }).sort();
  const found = kept();
  const refused = await portlight(t, ['run', '--data-dir', dataDirectory], variables);
  t.is(refused.code, 1);
  t.is(
    refused.stderr,
    `portlight: data_dir: ${dataDirectory} has version 2, but this Portlight supports versions up to 1: a newer one has used it. Install that version again, or choose another directory with --data-dir\n`,
  );
  t.deepEqual(kept(), found);
  const checked = await portlight(t, ['check', '--data-dir', dataDirectory], variables);
  t.is(checked.code, 1);
  t.regex(checked.stdout, /FAIL +data directory +.* has version 2/);
});
