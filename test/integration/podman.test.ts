/** Podman answers to the same API, in a dialect of its own. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import Docker from 'dockerode';
import { importBusybox } from '../../agent/setup/images.ts';
import { startAgent, temporaryDirectory } from '../support/agent.ts';
import { execute } from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait.ts';

/** Without systemd there is no journal for its events, and no cgroup manager; runc comes with Docker. */
const CONFIGURATION = `
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
runtime = "runc"
`;

test("a container's story on Podman reads like one on Docker", async (t) => {
  const directory = temporaryDirectory(t);
  const configuration = join(directory, 'containers.conf');
  writeFileSync(configuration, CONFIGURATION);
  const socket = join(directory, 'podman.sock');
  const places = [
    '--root',
    join(directory, 'root'),
    '--runroot',
    join(directory, 'run'),
    '--tmpdir',
    join(directory, 'tmp'),
  ];
  const service = spawn(
    'podman',
    [...places, '--storage-driver', 'vfs', 'system', 'service', '--time', '0', `unix://${socket}`],
    { env: { ...process.env, CONTAINERS_CONF: configuration }, stdio: 'ignore' },
  );
  t.teardown(() => service.kill('SIGKILL'));
  const podman = new Docker({ socketPath: socket });
  await waitFor('Podman', () =>
    podman.ping().then(
      () => true,
      () => false,
    ),
  );
  await importBusybox(podman, 'localhost/portlight-test', 'latest');
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  await startAgent(t, {
    variables: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    args: ['--docker-host', `unix://${socket}`],
  });
  const container = await podman.createContainer({
    name: 'podded',
    Image: 'localhost/portlight-test:latest',
    Cmd: ['sh', '-c', 'echo hello; sleep 600'],
    HostConfig: { NetworkMode: 'host' },
  });
  t.teardown(() => container.remove({ force: true }).catch(() => {}));
  await container.start();
  const actions = () =>
    receiver
      .of('podded')
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
  const die = receiver.of('podded').find(({ eventName }) => eventName === 'docker.container.die')!;
  t.is(die.attributes['process.exit.code'], 137);
  t.is(die.attributes['portlight.exit.reason'], 'killed');
  const exec = receiver.of('podded').find(({ eventName }) => eventName === 'docker.container.exec_die')!;
  t.is(exec.attributes['process.exit.code'], 5);
  t.is(die.resource['container.runtime.name'], 'podman');
  t.true(Number(die.attributes['docker.event.duration']) > 0);
  t.false(receiver.logs.some(({ attributes }) => attributes['portlight.event.synthesized'] === true));
});
