/** Swarm on a single node: the attributes of tasks, and events of services. */
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { dockerCommand } from '../support/command.ts';
import { IMAGE } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test('a task has its service and node, and changes of the service are reported', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { host } = await ownDaemon(t);
  const docker = (...args: string[]) => dockerCommand(args, host);
  await docker('swarm', 'init', '--advertise-addr', '127.0.0.1');
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--docker-host', host],
  });
  const service = await docker(
    'service',
    'create',
    '--detach',
    '--name',
    'web',
    '--replicas',
    '2',
    '--no-resolve-image',
    IMAGE,
    'sh',
    '-c',
    'trap exit TERM; echo up; while :; do sleep 0.1; done',
  );
  const ofService = () =>
    receiver.logs.filter(({ resource }) => resource['docker.swarm.service.name'] === 'web');
  const tasks = () => new Set(ofService().map(({ resource }) => resource['docker.swarm.task.id']));
  await waitFor('two tasks', () => tasks().size === 2, 60_000);
  await waitFor('their lines', () => ofService().filter(({ body }) => body === 'up').length === 2, 60_000);
  const node = await docker('node', 'ls', '--quiet');
  for (const { resource } of ofService()) {
    t.is(resource['docker.swarm.service.id'], service);
    t.is(resource['docker.swarm.node.id'], node);
    t.is(resource['service.name'], 'web');
    t.regex(String(resource['docker.swarm.task.name']), /^web\.[12]\./);
  }
  await docker('service', 'scale', '--detach', 'web=1');
  const updates = () => receiver.logs.filter(({ eventName }) => eventName === 'docker.service.update');
  await waitFor('the change', () =>
    updates().some(({ attributes }) => attributes['docker.service.replicas.new'] === '1'),
  );
  const scaled = updates().find(({ attributes }) => attributes['docker.service.replicas.new'] === '1')!;
  t.is(scaled.attributes['docker.service.replicas.old'], '2');
  t.is(scaled.attributes['docker.actor.name'], 'web');
  t.is(scaled.attributes['docker.event.scope'], 'swarm');
  await docker('node', 'update', '--label-add', 'zone=a', node);
  await docker('config', 'create', 'settings', '/etc/hostname');
  await docker('secret', 'create', 'key', '/etc/hostname');
  await docker('config', 'rm', 'settings');
  await docker('secret', 'rm', 'key');
  await docker('service', 'rm', 'web');
  const reported = (event: string) => receiver.logs.some(({ eventName }) => eventName === `docker.${event}`);
  for (const event of [
    'service.create',
    'service.remove',
    'node.update',
    'config.create',
    'config.remove',
    'secret.create',
    'secret.remove',
  ])
    await waitFor(event, () => reported(event));
  t.pass();
});
