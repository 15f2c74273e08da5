/** Which namespaces a container has, against what the kernel and the test's own set-up say. */
import { readlinkSync } from 'node:fs';
import test from 'ava';
import { portlight, startAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver, type Values } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

const TYPES = ['pid', 'net', 'ipc', 'mnt', 'uts', 'user', 'cgroup', 'time'];
const inode = (pid: number, type: string) =>
  Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${type}`))![1]);

test('own, host and shared namespaces are told apart', async (t) => {
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

  await startAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const told = (name: string) =>
    receiver.of(name).find(({ eventName }) => eventName === 'portlight.container.namespaces');
  await waitFor('all three', () => Object.values(names).every(told));
  const attributes: Record<string, Values> = {};
  for (const [key, container] of Object.entries({ own, host, sharer })) {
    const { State } = await container.inspect();
    attributes[key] = told(names[key as keyof typeof names])!.attributes;
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
