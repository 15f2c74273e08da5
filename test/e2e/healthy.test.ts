/**
 * Healthy containers under a real agent with the built-in rules: nothing fires. Runs only on request, for as many minutes as
 * PORTLIGHT_TEST_MINUTES says (20 by default), because most rules need minutes: `PORTLIGHT_TEST_MINUTES=20 npm test`.
 * test/unit/alert-workloads.test.ts plays a recording of the same containers in virtual time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { healthyWorkloads } from '../alerts/alert-workloads.ts';
import { spawnAgent } from '../support/agent.ts';
import { ensureImage, runContainer, uniqueName } from '../support/docker.ts';
import { Receiver } from '../support/receiver.ts';

const MINUTES = Number(process.env.PORTLIGHT_TEST_MINUTES ?? 20);

test.before(ensureImage);

test('healthy containers fire no alerts', async (t) => {
  t.timeout((MINUTES + 3) * 60_000);
  const receiver = await Receiver.start();
  t.teardown(() => receiver.stop());
  const group = uniqueName('healthy');
  await spawnAgent(t, {
    args: ['--interval', '1s'],
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint('http'),
      PORTLIGHT_CONTAINERS_INCLUDE: `label=${group}`,
    },
  });
  for (const [name, options] of Object.entries(healthyWorkloads))
    await runContainer(t, { ...options, name: `${group}-${name}`, labels: { [group]: 'true' } });
  await sleep(MINUTES * 60_000);
  t.deepEqual(
    Object.keys(healthyWorkloads).filter((name) => receiver.logsOf(`${group}-${name}`).length === 0),
    [],
    'every container was observed',
  );
  t.deepEqual(
    receiver.logs
      .filter(({ eventName }) => eventName.startsWith('portlight.alert.'))
      .map(({ body, resource }) => `${resource['container.name']}: ${body}`),
    [],
  );
});
