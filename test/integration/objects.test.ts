/** Images, volumes and networks: what exists, what changes, and which containers run an outdated image. */
import test from 'ava';
import { portlight, spawnAgent } from '../support/agent.ts';
import { dockerCommand } from '../support/command.ts';
import { IMAGE } from '../support/docker.ts';
import { ownDaemon } from '../support/dockerd.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test('objects are reported at start and on change, and an outdated container is detected', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { docker, host } = await ownDaemon(t);
  await docker.createVolume({ Name: 'kept' });
  await docker.createNetwork({
    Name: 'shop',
    IPAM: { Driver: 'default', Config: [{ Subnet: '10.77.0.0/24' }] },
  });
  const web = await docker.createContainer({
    name: 'web',
    Image: IMAGE,
    Cmd: ['sleep', '600'],
    HostConfig: { NetworkMode: 'shop', Mounts: [{ Type: 'volume', Source: 'kept', Target: '/v' }] },
  });
  await web.start();
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--docker-host', host],
  });
  const reported = (kind: string, name: string) =>
    receiver.logs
      .filter(
        ({ eventName, attributes }) =>
          eventName === `portlight.inventory.${kind}` &&
          [
            attributes['docker.volume.name'],
            attributes['docker.network.name'],
            ...((attributes['docker.image.references'] as string[] | undefined) ?? []),
          ].includes(name),
      )
      .map(({ attributes }) => attributes);
  const last = (kind: string, name: string) => reported(kind, name).at(-1);
  await waitFor(
    'the inventory',
    () => last('image', IMAGE) && last('volume', 'kept') && last('network', 'shop'),
  );

  const { Id, Size } = await docker.getImage(IMAGE).inspect();
  t.like(last('image', IMAGE), {
    'portlight.inventory.change': 'found',
    'container.image.id': Id,
    'docker.image.size': Size,
    'docker.image.containers': 1,
    'docker.image.dangling': false,
  });
  t.true(Number(last('image', IMAGE)!['docker.image.age']) >= 0);
  t.is(last('volume', 'kept')!['docker.volume.used'], true);
  const address = (await web.inspect()).NetworkSettings.Networks.shop!.IPAddress;
  t.deepEqual(last('network', 'shop')!['docker.network.members'], [`web ${address}/24`]);
  t.deepEqual(last('network', 'shop')!['docker.network.subnets'], ['10.77.0.0/24']);

  // The reference now means another image.
  const outdated = () =>
    receiver.logsOf('web').filter(({ eventName }) => eventName === 'portlight.container.image_outdated');
  const measured = () => receiver.pointsOf('web', 'container.image.outdated').at(-1)?.value;
  await waitFor('the metric', () => measured() === 0);
  t.is(outdated().length, 0);
  const [repo = '', tag = ''] = IMAGE.split(':');
  const { Id: newId } = (await web.commit({ repo, tag })) as { Id: string };
  await waitFor('the event', () => outdated().length === 1);
  t.is(outdated()[0]!.severityNumber, 13);
  t.is(outdated()[0]!.attributes['docker.image.current_id'], newId);
  await waitFor('the metric to be 1', () => measured() === 1);
  const images = JSON.parse((await portlight(t, ['images', '-o', 'json', '--docker-host', host])).stdout);
  t.deepEqual(images.find(({ id }: { id: string }) => id === Id).outdated, ['web']);

  // New, changed and removed objects.
  await docker.createVolume({ Name: 'new' });
  await waitFor('a new volume', () => last('volume', 'new')?.['portlight.inventory.change'] === 'new');
  t.is(last('volume', 'new')!['docker.volume.used'], false, 'dangling');
  await web.remove({ force: true });
  await waitFor('a volume that nobody uses', () => last('volume', 'kept')?.['docker.volume.used'] === false);
  await waitFor(
    'a network without members',
    () => String(last('network', 'shop')?.['docker.network.members']) === '',
  );
  t.is(last('network', 'shop')!['portlight.inventory.change'], 'changed');
  await docker.getVolume('new').remove();
  await waitFor('its removal', () => last('volume', 'new')?.['portlight.inventory.change'] === 'removed');
  await waitFor('counts', () =>
    receiver.points.some(
      ({ name, attributes, value }) =>
        name === 'docker.networks' && attributes['docker.network.driver'] === 'bridge' && value === 2,
    ),
  );
});

test('prunes and a reload are reported, without the configuration', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const { host, signal, docker } = await ownDaemon(t);
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--docker-host', host],
  });
  await dockerCommand(['system', 'prune', '--force', '--volumes'], host);
  signal('SIGHUP');
  const find = (event: string) => receiver.logs.find(({ eventName }) => eventName === `docker.${event}`);
  // The containerd image store emits no prune event.
  const { DriverStatus } = await docker.info();
  const isContainerd = JSON.stringify(DriverStatus).includes('containerd');
  const types = ['container', 'network', 'volume', 'builder', ...(isContainerd ? [] : ['image'])];
  for (const type of types) {
    const prune = await waitFor(`prune of ${type}`, () => find(`${type}.prune`));
    t.is(prune.attributes['docker.prune.reclaimed'], '0');
    t.is(prune.resource['service.name'], 'portlight');
  }
  const { attributes } = await waitFor('the reload', () => find('daemon.reload'));
  t.deepEqual(Object.keys(attributes).sort(), [
    'docker.actor.id',
    'docker.actor.name',
    'docker.event.action',
    'docker.event.scope',
    'docker.event.type',
    'log.record.uid',
  ]);
});
