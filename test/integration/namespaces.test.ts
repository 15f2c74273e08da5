/** The namespaces of containers, compared with the kernel and the setup of the test. */
import { readlinkSync } from 'node:fs';
import test from 'ava';
import { portlight, spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver, type Values } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'];
const inode = (pid: number, type: string) =>
  Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${type}`))![1]);

test('own, host and shared namespaces are distinguished', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const names = { own: uniqueName('own'), host: uniqueName('host'), sharer: uniqueName('sharer') };
  const script = 'sleep 600';
  const own = await runContainer(t, { name: names.own, script });
  const host = await runContainer(t, {
    name: names.host,
    script,
    host: { PidMode: 'host', NetworkMode: 'host', IpcMode: 'host', UTSMode: 'host' },
  });
  const sharer = await runContainer(t, {
    name: names.sharer,
    script,
    host: { NetworkMode: `container:${own.id}` },
  });

  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const eventOf = (name: string) =>
    receiver.logsOf(name).find(({ eventName }) => eventName === 'portlight.container.namespaces');
  await waitFor('all three containers', () => Object.values(names).every(eventOf));
  const attributes: Record<string, Values> = {};
  for (const [key, container] of Object.entries({ own, host, sharer })) {
    const { State } = await container.inspect();
    attributes[key] = eventOf(names[key as keyof typeof names])!.attributes;
    for (const type of TYPES)
      t.is(attributes[key]![`linux.namespace.${type}.inode`], inode(State.Pid, type), `${key} ${type}`);
  }
  for (const type of ['pid', 'net', 'ipc', 'uts']) {
    t.is(attributes.own![`linux.namespace.${type}.host`], false, `own ${type}`);
    t.is(attributes.host![`linux.namespace.${type}.host`], true, `host ${type}`);
  }
  t.is(attributes.host!['linux.namespace.mnt.host'], false);
  t.is(attributes.sharer!['linux.namespace.net.inode'], attributes.own!['linux.namespace.net.inode']);
  t.not(attributes.sharer!['linux.namespace.pid.inode'], attributes.own!['linux.namespace.pid.inode']);
  t.is(attributes.sharer!['linux.namespace.net.host'], false);
  t.is(attributes.sharer!['linux.namespace.net.owner'], own.id);

  const { stdout } = await portlight(t, ['ps', '-o', 'json']);
  const rows = JSON.parse(stdout) as {
    name: string;
    namespaces: Record<string, { inode: number; host: boolean }>;
  }[];
  const row = (name: string) => rows.find((found) => found.name === name)!;
  t.true(row(names.host).namespaces.net!.host);
  t.is(row(names.sharer).namespaces.net!.inode, row(names.own).namespaces.net!.inode);
});

test('shared namespaces and their sharers are reported, measured and drawn', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const names = { web: uniqueName('web'), sidecar: uniqueName('sidecar') };
  const web = await runContainer(t, {
    name: names.web,
    script: 'sleep 600',
    host: {
      IpcMode: 'shareable',
      ReadonlyRootfs: true,
      SecurityOpt: ['no-new-privileges'],
      CapDrop: ['ALL'],
    },
  });
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--metrics-enable', 'namespace', '--container-attributes', 'namespaces,security'],
  });
  const attributesOf = (name: string) =>
    receiver.logsOf(name).find(({ eventName }) => eventName === 'portlight.container.namespaces')?.attributes;
  await waitFor('the first container', () => attributesOf(names.web));
  t.is(attributesOf(names.web)!['linux.namespace.net.relation'], 'private');
  t.is(attributesOf(names.web)!['linux.namespace.user.relation'], 'host');
  t.is(attributesOf(names.web)!['container.security.readonly_rootfs'], true);
  t.is(attributesOf(names.web)!['container.security.no_new_privileges'], true);
  t.deepEqual(attributesOf(names.web)!['container.security.capabilities'], []);

  const mode = `container:${web.id}`;
  const sidecar = await runContainer(t, {
    name: names.sidecar,
    script: 'sleep 600',
    host: { NetworkMode: mode, PidMode: mode, IpcMode: mode },
  });
  const beside = await waitFor('the second container', () => attributesOf(names.sidecar));
  for (const type of ['net', 'pid', 'ipc']) {
    t.is(beside[`linux.namespace.${type}.relation`], 'shared', type);
    t.deepEqual(beside[`linux.namespace.${type}.shared_with`], [web.id], type);
  }
  t.is(beside['linux.namespace.mnt.relation'], 'private');
  const corrected = () =>
    receiver.logsOf(names.web).findLast(({ eventName }) => eventName === 'portlight.container.namespaces')!
      .attributes;
  await waitFor(
    'a second report of the first container',
    () => corrected()['linux.namespace.net.relation'] === 'shared',
  );
  t.deepEqual(corrected()['linux.namespace.net.shared_with'], [sidecar.id]);
  t.true((beside['container.security.capabilities'] as string[]).includes('NET_BIND_SERVICE'));
  t.false((beside['container.security.capabilities'] as string[]).includes('SYS_ADMIN'));

  const relation = (name: string, type: string) =>
    receiver
      .pointsOf(name, 'portlight.container.namespace')
      .findLast(({ attributes }) => attributes['linux.namespace.type'] === type)?.attributes;
  await waitFor(
    'the metric to know',
    () => relation(names.web, 'net')?.['linux.namespace.relation'] === 'shared',
  );
  const { State } = await sidecar.inspect();
  t.is(relation(names.sidecar, 'mnt')?.['linux.namespace.inode'], inode(State.Pid, 'mnt'));
  const { resource } = receiver
    .logsOf(names.sidecar)
    .find(({ eventName }) => eventName === 'docker.container.start')!;
  t.is(
    resource['linux.namespace.net.inode'],
    inode(State.Pid, 'net'),
    'on every record, where that is wanted',
  );
  t.is(resource['container.security.privileged'], false);

  const tree = (await portlight(t, ['namespaces'])).stdout;
  t.regex(tree, new RegExp(`shared: .*${names.sidecar}`));
  const dot = (await portlight(t, ['namespaces', '-o', 'dot'])).stdout;
  t.true(dot.includes(`"${names.web}" -- "net ${inode(State.Pid, 'net')}"`));
  t.true(dot.includes(`"${names.sidecar}" -- "net ${inode(State.Pid, 'net')}"`));
  const rows = JSON.parse((await portlight(t, ['namespaces', '-o', 'json'])).stdout) as {
    name: string;
    namespaces: Record<string, { relation: string; shared_with: string[] }>;
    readonly_rootfs: boolean;
  }[];
  const row = rows.find(({ name }) => name === names.web)!;
  t.true(row.readonly_rootfs);
  t.deepEqual(row.namespaces.net, {
    inode: inode(State.Pid, 'net'),
    relation: 'shared',
    shared_with: [names.sidecar],
  } as never);
});

test('elevated access is reported once per run', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const dataDirectory = temporaryDirectory(t);
  const options = { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') }, dataDirectory };
  const first = await spawnAgent(t, options);
  const run = async (purpose: string, host: object) => {
    const name = uniqueName(purpose);
    await runContainer(t, { name, script: 'sleep 600', host });
    return name;
  };
  /** A daemon with few capabilities cannot pass them on. */
  const runWhereAllowed = (purpose: string, host: object) =>
    run(purpose, host).catch((error: Error) => {
      if (!error.message.includes('apply caps')) throw error;
      t.log(`${purpose}: this host does not allow it`);
      return undefined;
    });
  const socket = new URL(process.env.DOCKER_HOST!).pathname;
  const mounted = temporaryDirectory(t);
  const privileged = await runWhereAllowed('privileged', { Privileged: true });
  const pid = await run('pid', { PidMode: 'host' });
  const mount = await run('socket', { Binds: [`${socket}:/var/run/docker.sock`] });
  const root = await run('root', { Binds: ['/:/host'] });
  const admin = await runWhereAllowed('admin', { CapAdd: ['SYS_ADMIN'] });
  const plain = await run('plain', { Binds: [`${mounted}:/data`], NetworkMode: 'host' });
  const warnings = (name: string) =>
    receiver.logsOf(name).filter(({ eventName }) => eventName === 'portlight.container.elevated');
  const expected = [
    [privileged, ['privileged']],
    [pid, ['host_pid']],
    [mount, ['docker_socket']],
    [root, ['host_root']],
    [admin, ['cap_sys_admin']],
  ].filter((pair): pair is [string, string[]] => pair[0] !== undefined);
  for (const [name, reasons] of expected) {
    await waitFor(`a warning of ${name}`, () => warnings(name).length > 0);
    t.is(warnings(name)[0]!.severityNumber, 13);
    t.deepEqual(warnings(name)[0]!.attributes['portlight.elevated.reasons'], reasons);
  }
  await waitFor('the container without elevated access', () =>
    receiver.logsOf(plain).some(({ eventName }) => eventName === 'portlight.container.namespaces'),
  );
  t.is(warnings(plain).length, 0);
  const { stdout } = await portlight(t, ['namespaces']);
  t.regex(stdout, new RegExp(`! ${pid} .*host_pid`));

  await first.stop();
  await spawnAgent(t, options);
  await waitFor('metrics of the second agent', () => receiver.pointsOf(plain, 'container.uptime').length > 2);
  for (const [name] of expected) t.is(warnings(name).length, 1, 'a restarted agent does not report again');
});
