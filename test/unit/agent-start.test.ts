/** A start that fails closes what it has opened. Without a daemon: `docker_host` is `none`. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { startAgent } from '../../agent/process/agent.ts';
import { loadConfig } from '../../agent/process/load-config.ts';
import { Rollback } from '../../agent/process/rollback.ts';
import { Telemetry } from '../../exporters/shared/telemetry.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const logger = pino({ level: 'silent' });

/** An agent that traces itself, on a host without other containers. Its receiver does not answer. */
async function configOf(t: ExecutionContext, listen = '127.0.0.1:0') {
  const { config } = await loadConfig({}, undefined, {
    PORTLIGHT_DATA_DIR: temporaryDirectory(t),
    PORTLIGHT_ROOTFS: temporaryDirectory(t),
    PORTLIGHT_LISTEN: listen,
    PORTLIGHT_TELEMETRY_TRACES: 'true',
    PORTLIGHT_DOCKER_HOST: 'none',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
  });
  return config;
}

async function occupiedAddress(t: ExecutionContext): Promise<string> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Fails where a target that has no daemon is created: after tracing started, before the endpoint is opened. */
class FailingTelemetry extends Telemetry {
  isFailing = true;

  override warn(...parameters: Parameters<Telemetry['warn']>): void {
    if (this.isFailing && parameters[0].startsWith('docker_host is none')) throw new Error('no target');
    super.warn(...parameters);
  }
}

test.serial('a start that fails before the endpoint is open leaves nothing open', async (t) => {
  const telemetry = new FailingTelemetry(logger);
  const config = await configOf(t);
  await t.throwsAsync(startAgent(config, logger, telemetry), { message: 'no target' });
  t.is(telemetry.tracer, undefined);
  telemetry.isFailing = false;
  // The same directory, as after a refused reload: its lock, positions and spools are free again.
  const agent = await startAgent(config, logger, telemetry);
  t.not(telemetry.tracer, undefined);
  await agent.stop();
  t.is(telemetry.tracer, undefined);
});

test.serial('a start whose address is in use leaves nothing open', async (t) => {
  const telemetry = new Telemetry(logger);
  const config = await configOf(t, await occupiedAddress(t));
  await t.throwsAsync(startAgent(config, logger, telemetry), { message: /^listen: .*in use/ });
  t.is(telemetry.tracer, undefined);
  const { listen } = await configOf(t);
  const agent = await startAgent({ ...config, listen }, logger, telemetry);
  await agent.stop();
});

test('a rollback closes the newest first, and continues after an error', async (t) => {
  const closed: string[] = [];
  const errors: unknown[] = [];
  const rollback = new Rollback((error) => errors.push(error));
  rollback.add(() => closed.push('first'));
  rollback.add(() => Promise.reject(new Error('stuck')));
  rollback.add(() => closed.push('last'));
  await rollback.run();
  t.deepEqual(closed, ['last', 'first']);
  t.is(errors.length, 1);
  rollback.add(() => closed.push('late'));
  t.deepEqual(closed, ['last', 'first', 'late']);
});
