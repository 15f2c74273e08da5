/** Everyday docker commands: each causes an event, or has a counterpart in the CLI. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { portlight, spawnAgent } from '../support/agent.ts';
import { dockerCommand, startRegistry } from '../support/command.ts';
import { docker, ensureImage, IMAGE, LABEL, uniqueName } from '../support/docker.ts';
import { type ReceivedLog, Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(ensureImage);

test('ps logs start stop pull push rm rmi cp commit build exec images info kill', async (t) => {
  const { address } = await startRegistry(t);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_EVENTS_EXEC_COMMANDS: 'true',
    },
  });
  const name = uniqueName('day');
  const repository = `${address}/${name}`;
  const image = `${repository}:1`;
  const directory = temporaryDirectory(t);
  t.teardown(async () => {
    await docker
      .getContainer(name)
      .remove({ force: true })
      .catch(() => {});
    for (const tag of ['1', 'committed'])
      await docker
        .getImage(`${repository}:${tag}`)
        .remove({ force: true })
        .catch(() => {});
  });
  const ofContainer = (event: string) =>
    receiver.logsOf(name).filter(({ eventName }) => eventName === `docker.container.${event}`);
  const ofImage = (event: string) =>
    receiver.logs.filter(
      ({ eventName, attributes }) =>
        eventName === `docker.image.${event}` && attributes['container.image.name'] === repository,
    );
  const expectEvent = async (what: string, events: () => ReceivedLog[], count = 1): Promise<ReceivedLog> => {
    await waitFor(what, () => events().length >= count);
    return events().at(-1)!;
  };

  // build
  const context = join(directory, 'context');
  mkdirSync(context);
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM ${IMAGE}\nLABEL ${LABEL}=true\nCMD sh -c 'echo good morning; trap exit TERM; while :; do sleep 0.1; done'\n`,
  );
  await dockerCommand(['build', '--quiet', '--tag', image, context]);
  const built = await expectEvent('build', () => ofImage('tag'));
  const { Id } = await docker.getImage(image).inspect();
  t.is(built.attributes['container.image.id'], Id);
  t.deepEqual(built.attributes['container.image.tags'], ['1']);

  // push, rmi, pull
  await dockerCommand(['push', '--quiet', image]);
  await expectEvent('push', () => ofImage('push'));
  await dockerCommand(['rmi', image]);
  const byId = (event: string) =>
    receiver.logs.filter(
      ({ eventName, attributes }) =>
        eventName === `docker.image.${event}` && attributes['container.image.id'] === Id,
    );
  await expectEvent('rmi', () => byId('untag'));
  await expectEvent('rmi of the last name', () => byId('delete'));
  await dockerCommand(['pull', '--quiet', image]);
  await expectEvent('pull', () => ofImage('pull'));

  // start
  await dockerCommand(['create', '--name', name, '--label', `${LABEL}=true`, image]);
  await dockerCommand(['start', name]);
  const start = await expectEvent('start', () => ofContainer('start'));
  t.is(start.resource['container.image.name'], repository);
  t.true(Number(start.attributes['docker.event.duration']) > 0, 'since its creation');

  // ps, logs
  const seen = JSON.parse((await portlight(t, ['ps', '-o', 'json'])).stdout) as { name: string }[];
  t.true(seen.some((row) => row.name === name));
  await waitFor('its line', () => receiver.logsOf(name).some(({ body }) => body === 'good morning'));
  t.is((await portlight(t, ['logs', name])).stdout, 'good morning\n');
  t.is((await portlight(t, ['logs', '--tail', '0', name])).stdout, '');
  const [line] = (await portlight(t, ['logs', '-o', 'json', name])).stdout.split('\n');
  t.like(JSON.parse(line!), { stream: 'stdout', body: 'good morning' });
  t.true(
    line!.includes((await dockerCommand(['logs', '--timestamps', name])).split(' ')[0]!),
    'with a resolution of a nanosecond',
  );

  // exec
  await t.throwsAsync(dockerCommand(['exec', name, 'sh', '-c', 'exit 7 # --password hunter2']));
  const exec = await expectEvent('exec', () => ofContainer('exec_die'));
  t.is(exec.attributes['process.exit.code'], 7);
  t.true(Number(exec.attributes['docker.event.duration']) > 0);
  t.is(ofContainer('exec_start')[0]!.attributes['docker.exec.id'], exec.attributes['docker.exec.id']);
  t.is(
    ofContainer('exec_create')[0]!.attributes['process.command_line'],
    'sh -c exit 7 # --password [redacted]',
  );

  // cp, both ways
  writeFileSync(join(directory, 'file'), 'x');
  await dockerCommand(['cp', join(directory, 'file'), `${name}:/tmp/file`]);
  await expectEvent('cp into it', () => ofContainer('extract-to-dir'));
  await dockerCommand(['cp', `${name}:/tmp/file`, join(directory, 'back')]);
  await expectEvent('cp out of it', () => ofContainer('archive-path'));

  // commit
  await dockerCommand(['commit', '--message', 'as it is', name, `${repository}:committed`]);
  const commit = await expectEvent('commit', () => ofContainer('commit'));
  t.is(commit.attributes['docker.image.comment'], 'as it is');
  t.is(commit.attributes['docker.image.reference'], `${repository}:committed`);

  // images, info
  const images = JSON.parse((await portlight(t, ['images', '-o', 'json'])).stdout) as {
    references: string[];
    containers: string[];
  }[];
  t.deepEqual(images.find(({ references }) => references.includes(image))?.containers, [name]);
  const info = JSON.parse((await portlight(t, ['info', '-o', 'json'])).stdout);
  t.is(info.version, (await docker.version()).Version);
  t.is(info.cpus, (await docker.info()).NCPU);
  for (const view of ['images', 'info', 'ps']) {
    const { code, stdout } = await portlight(t, [view]);
    t.is(code, 0);
    t.regex(stdout, /^[A-Z]+ +[A-Z]/, `${view} for a person`);
  }

  // stop, kill, rm
  await dockerCommand(['stop', name]);
  const stop = await expectEvent('stop', () => ofContainer('stop'));
  t.true(Number(stop.attributes['docker.event.duration']) >= 0, 'since the signal');
  t.is(ofContainer('kill')[0]!.attributes['docker.event.signal'], '15');
  t.is(ofContainer('die')[0]!.attributes['portlight.exit.reason'], 'stopped');
  await dockerCommand(['start', name]);
  await dockerCommand(['kill', name]);
  await expectEvent('kill', () => ofContainer('kill'), 2);
  const die = await expectEvent('its end', () => ofContainer('die'), 2);
  t.is(die.attributes['portlight.exit.reason'], 'killed');
  await dockerCommand(['rm', name]);
  const destroy = await expectEvent('rm', () => ofContainer('destroy'));
  t.true(Number(destroy.attributes['docker.event.duration']) > 1, 'since its creation');

  for (const event of receiver
    .logsOf(name)
    .filter(({ eventName }) => eventName.startsWith('docker.container.')))
    t.is(event.resource['container.id'], start.resource['container.id']);
});

test('other commands on containers, networks and volumes cause events', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') } });
  const name = uniqueName('other');
  const directory = temporaryDirectory(t);
  t.teardown(async () => {
    await docker
      .getContainer(name)
      .remove({ force: true })
      .catch(() => {});
    await docker
      .getContainer(`${name}-2`)
      .remove({ force: true })
      .catch(() => {});
    await docker
      .getVolume(name)
      .remove()
      .catch(() => {});
    await docker
      .getNetwork(name)
      .remove()
      .catch(() => {});
  });
  await dockerCommand(['volume', 'create', name]);
  await dockerCommand(['network', 'create', name]);
  await dockerCommand([
    'run',
    '--detach',
    '--name',
    name,
    '--label',
    `${LABEL}=true`,
    '--volume',
    `${name}:/v`,
    IMAGE,
    'sleep',
    '600',
  ]);
  await dockerCommand(['network', 'connect', name, name]);
  await dockerCommand(['top', name]);
  await dockerCommand(['pause', name]);
  await dockerCommand(['unpause', name]);
  await dockerCommand(['update', '--memory', '64m', '--memory-swap', '64m', name]);
  await dockerCommand(['export', '--output', join(directory, 'tar'), name]);
  await dockerCommand(['rename', name, `${name}-2`]);
  await dockerCommand(['restart', '--time', '0', `${name}-2`]);
  await dockerCommand(['network', 'disconnect', '--force', name, `${name}-2`]);
  await dockerCommand(['rm', '--force', `${name}-2`]);
  await dockerCommand(['save', '--output', join(directory, 'image'), IMAGE]);
  await dockerCommand(['load', '--input', join(directory, 'image')]);
  await dockerCommand(['volume', 'rm', name]);
  await dockerCommand(['network', 'rm', name]);

  const find = (event: string) =>
    receiver.logs.find(
      ({ eventName, attributes, resource }) =>
        eventName === `docker.${event}` &&
        [resource['container.name'], attributes['docker.actor.name'], attributes['docker.actor.id']].some(
          (text) => String(text).startsWith(name),
        ),
    );
  await waitFor('the last of them', () => find('network.destroy'));
  for (const event of [
    ...['create', 'start', 'top', 'pause', 'unpause', 'update', 'export', 'rename', 'restart', 'destroy'].map(
      (action) => `container.${action}`,
    ),
    ...['volume.create', 'volume.mount', 'volume.unmount', 'volume.destroy'],
    ...['network.create', 'network.connect', 'network.disconnect', 'network.destroy'],
  ])
    t.truthy(find(event), event);
  t.true(receiver.logs.some(({ eventName }) => eventName === 'docker.image.save'));
  t.true(receiver.logs.some(({ eventName }) => eventName === 'docker.image.load'));
  t.is(find('container.rename')!.attributes['docker.container.previous_name'], `/${name}`);
  t.true(Number(find('container.unpause')!.attributes['docker.event.duration']) > 0);
  const mount = find('volume.mount')!;
  t.is(mount.attributes['docker.mount.destination'], '/v');
  t.is(mount.resource['container.name'], name, 'a mount is an event of the container');
  t.is(mount.attributes['docker.actor.id'], name);
  t.is(find('network.connect')!.attributes['docker.network.driver'], 'bridge');
});

test('events can be excluded by name', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--events-exclude', 'docker.container.exec_*,portlight.*'],
  });
  const name = uniqueName('quiet');
  t.teardown(() =>
    docker
      .getContainer(name)
      .remove({ force: true })
      .catch(() => {}),
  );
  await dockerCommand(['run', '--detach', '--name', name, '--label', `${LABEL}=true`, IMAGE, 'sleep', '600']);
  await dockerCommand(['exec', name, 'true']);
  await dockerCommand(['kill', name]);
  await waitFor('its end', () =>
    receiver.logsOf(name).some(({ eventName }) => eventName === 'docker.container.die'),
  );
  // Alerts of other containers cannot be excluded.
  t.false(receiver.logsOf(name).some(({ eventName }) => /exec_|^portlight/.test(eventName)));
});

test('a missing container or daemon is reported in one line', async (t) => {
  const missing = await portlight(t, ['logs', 'nobody']);
  t.is(missing.code, 1);
  t.regex(missing.stderr, /^portlight: .*no such container: nobody\n$/);
  const since = await portlight(t, ['logs', '--since', 'yesterday', 'nobody']);
  t.is(since.code, 2);
  t.regex(since.stderr, /^portlight: --since: "yesterday" is not allowed; expected .*\n$/);
  const away = await portlight(t, ['images', '--docker-host', 'unix:///nowhere.sock']);
  t.is(away.code, 1);
  t.regex(away.stderr, /^portlight: unix:\/\/\/nowhere\.sock .*Check that the daemon is running.*\n$/);
});
