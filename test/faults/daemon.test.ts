/** A daemon that starts late, or restarts. */
import test from 'ava';
import { clientOf, startDockerd } from '../../agent/setup/dockerd.ts';
import { importBusybox } from '../../agent/setup/images.ts';
import { AgentProcess, listenUrl } from '../support/agent.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test('an agent that starts before its daemon observes it, also after a restart of the daemon', async (t) => {
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const directory = temporaryDirectory(t);
  const agent = new AgentProcess(
    [
      'run',
      '--docker-host',
      `unix://${directory}/docker.sock`,
      '--listen',
      '127.0.0.1:0',
      '--interval',
      '500ms',
      '--data-dir',
      `${directory}/agent`,
    ],
    { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http') },
    directory,
  );
  t.teardown(() => agent.kill('SIGKILL'));
  const url = await listenUrl(agent);
  const ready = async () => (await fetch(`${url}/readyz`)).ok;
  t.false(await ready());

  let dockerd = await startDockerd({ ownNetwork: true, directory });
  t.teardown(() => dockerd.stop());
  const docker = clientOf(dockerd.host);
  await waitFor('the agent to connect', ready, 60_000);
  await importBusybox(docker, 'portlight-test', 'busybox');
  const create = (name: string, script: string) =>
    docker.createContainer({
      name,
      Image: 'portlight-test:busybox',
      Cmd: ['sh', '-c', script],
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
  const before = await create('before', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done');
  await before.start();
  const lines = (name: string) => receiver.logsOf(name).filter(({ scope }) => scope === 'portlight.logs');
  await waitFor(
    'lines and metrics',
    () => lines('before').length > 5 && receiver.pointsOf('before', 'container.cpu.usage').length > 0,
  );

  dockerd.kill('SIGKILL');
  await waitFor('the agent to be disconnected', async () => !(await ready()));
  const counted = lines('before').length;
  dockerd = await startDockerd({ ownNetwork: true, directory });
  await waitFor('the agent to be back', ready, 60_000);
  const after = await create('after', 'echo hello; sleep 600');
  await after.start();
  await waitFor('the new container', () => lines('after').length === 1);
  await waitFor('the old one again', () => lines('before').length > counted + 5);
  const bodies = lines('before').map(({ time }) => time);
  t.is(new Set(bodies).size, bodies.length, 'no line arrives twice');
  t.is((await agent.stop()).code, 0);
});
