/** Podman serves the same API, with differences. */
import test from 'ava';
import { spawnAgent } from '../support/agent.ts';
import { execute } from '../support/docker.ts';
import { PODMAN_IMAGE, startPodman } from '../support/podman.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

test("a container's events on Podman are those of Docker", async (t) => {
  const { host, podman } = await startPodman(t);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await spawnAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--docker-host', host],
  });
  const container = await podman.createContainer({
    name: 'podded',
    Image: PODMAN_IMAGE,
    Cmd: ['sh', '-c', 'echo hello; sleep 600'],
    HostConfig: { NetworkMode: 'host' },
  });
  t.teardown(() => container.remove({ force: true }).catch(() => {}));
  await container.start();
  const actions = () =>
    receiver
      .logsOf('podded')
      .map(({ eventName }) => eventName)
      .filter((name) => name.startsWith('docker.container.'))
      .map((name) => name.replace('docker.container.', ''));
  await waitFor('its start', () => actions().includes('start'));
  await execute(container, 'exit 5');
  await container.pause();
  await container.unpause();
  await container.kill();
  await waitFor('its end', () => actions().includes('die'));
  await container.remove();
  await waitFor('its removal', () => actions().includes('destroy'));
  const wanted = ['create', 'start', 'exec_start', 'exec_die', 'pause', 'unpause', 'kill', 'die', 'destroy'];
  t.deepEqual(
    actions().filter((action) => wanted.includes(action)),
    wanted,
  );
  const die = receiver.logsOf('podded').find(({ eventName }) => eventName === 'docker.container.die')!;
  t.is(die.attributes['process.exit.code'], 137);
  t.is(die.attributes['portlight.exit.reason'], 'killed');
  const exec = receiver.logsOf('podded').find(({ eventName }) => eventName === 'docker.container.exec_die')!;
  t.is(exec.attributes['process.exit.code'], 5);
  t.is(die.resource['container.runtime.name'], 'podman');
  t.true(Number(die.attributes['docker.event.duration']) > 0);
  t.false(receiver.logs.some(({ attributes }) => attributes['portlight.event.synthesized'] === true));
});
