/** The image on a Podman host reports the same as an agent on that host. */
import { spawn } from 'node:child_process';
import test from 'ava';
import { AgentProcess } from '../support/agent.ts';
import { ensureImage, uniqueName } from '../support/docker.ts';
import { ensurePortlightImage, IMAGE_MS, PORTLIGHT_IMAGE } from '../support/image.ts';
import { PODMAN_IMAGE, startPodman } from '../support/podman.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test.before(async (t) => {
  t.timeout(IMAGE_MS);
  await ensureImage();
  await ensurePortlightImage();
});

test('the image, run by Podman, reports the same as an agent on the host', async (t) => {
  t.timeout(180_000);
  const { host, podman } = await startPodman(t);
  const save = spawn('docker', ['save', PORTLIGHT_IMAGE], { stdio: ['ignore', 'pipe', 'inherit'] });
  const loaded = (await podman.loadImage(save.stdout)) as NodeJS.ReadableStream;
  loaded.resume();
  await new Promise((resolve) => loaded.on('end', resolve));

  const receivers = [await Receiver.start(), await Receiver.start()] as const;
  for (const receiver of receivers) t.teardown(() => receiver.stop());
  const [inContainer, onHost] = receivers;
  const socket = new URL(host).pathname;
  const common = { PORTLIGHT_INTERVAL: '1s', PORTLIGHT_LISTEN: '127.0.0.1:0' };
  const variables = {
    ...common,
    DOCKER_HOST: 'unix:///var/run/docker.sock',
    PORTLIGHT_PROCFS: '/host/proc',
    PORTLIGHT_ROOTFS: '/host',
    OTEL_EXPORTER_OTLP_ENDPOINT: inContainer.endpoint('http'),
  };
  const container = await podman.createContainer({
    name: uniqueName('portlight'),
    Image: PORTLIGHT_IMAGE,
    User: '0:0',
    Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    HostConfig: {
      // The receiver listens on the host's loopback.
      NetworkMode: 'host',
      CapDrop: ['ALL'],
      CapAdd: ['SYS_PTRACE'],
      ReadonlyRootfs: true,
      Binds: [
        ...[`${socket}:/var/run/docker.sock:ro`, '/:/host:ro', '/proc:/host/proc:ro', '/sys:/host/sys:ro'],
        `${temporaryDirectory(t)}:/var/lib/portlight`,
      ],
    },
  });
  await container.start();
  const direct = new AgentProcess(
    ['run', '--docker-host', host, '--data-dir', temporaryDirectory(t)],
    { ...common, OTEL_EXPORTER_OTLP_ENDPOINT: onHost.endpoint('http') },
    temporaryDirectory(t),
  );
  t.teardown(async () => {
    direct.kill('SIGKILL');
    await direct.exit;
  });
  for (const receiver of receivers)
    await waitFor('the first round', () => receiver.points.length > 0, 60_000);

  const name = uniqueName('podman');
  const observed = await podman.createContainer({
    name,
    Image: PODMAN_IMAGE,
    Cmd: ['sh', '-c', 'echo up; echo down >&2; sleep 600'],
  });
  await observed.start();
  const reported = (receiver: Receiver) => {
    // Each agent has the disk usage of its own last request.
    const points = receiver.points.filter(
      (point) => point.resource['container.name'] === name && !point.name.startsWith('container.filesystem.'),
    );
    const records = receiver.logsOf(name);
    return [
      ...records.map(({ eventName, body }) => (eventName === '' ? `log ${body}` : `event ${eventName}`)),
      ...points.map((point) => `metric ${point.name} ${Object.keys(point.attributes)}`),
      ...points.slice(-1).map(({ resource }) => `host ${resource['host.name']} ${resource['host.id']}`),
    ]
      .filter((record, index, all) => all.indexOf(record) === index)
      .sort();
  };
  await waitFor('rates on the host', () => onHost.pointsOf(name, 'container.cpu.usage').length > 1);
  await waitFor('its lines on the host', () => reported(onHost).includes('log down'));
  await waitFor('equal records', () => `${reported(inContainer)}` === `${reported(onHost)}`).catch(() => {});
  t.deepEqual(reported(inContainer), reported(onHost));
  t.true(reported(inContainer).includes('event docker.container.start'));
});
