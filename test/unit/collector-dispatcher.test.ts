/** One collector that fails keeps neither the others nor the agent from their work. */
import test from 'ava';
import { CollectorDispatcher } from '../../agent/targets/collector-dispatcher.ts';
import type { Collector } from '../../collectors/records/collector.ts';
import { fakeContainer } from '../support/container.ts';

const fail = () => {
  throw new Error('broken');
};
const reject = () => Promise.reject(new Error('broken'));

function dispatcherOf(broken: Partial<Collector>) {
  const errors: string[] = [];
  const calls: string[] = [];
  const working: Collector = {
    name: 'working',
    anticipateContainer: () => void calls.push('anticipate'),
    attachContainer: () => void calls.push('attach'),
    detachContainer: () => void calls.push('detach'),
    removeContainer: () => void calls.push('remove'),
  };
  const telemetry = {
    reportError: (collector: string, error: unknown) => void errors.push(`${collector}: ${error}`),
  };
  const dispatcher = new CollectorDispatcher([{ name: 'broken', ...broken }, working], telemetry);
  return { dispatcher, errors, calls };
}

test('a collector that throws is reported, and the others are called', async (t) => {
  const { dispatcher, errors, calls } = dispatcherOf({
    anticipateContainer: fail,
    attachContainer: fail,
    detachContainer: fail,
    removeContainer: fail,
  });
  const container = fakeContainer();
  dispatcher.containerStarting(container.id, container);
  dispatcher.containerStarted(container);
  await dispatcher.containerStopped(container);
  dispatcher.containerRemoved(container);
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(calls.toSorted(), ['anticipate', 'attach', 'detach', 'detach', 'remove']);
  t.deepEqual([...new Set(errors)], ['broken: Error: broken']);
  t.is(errors.length, 5);
});

test('a collector that fails while it detaches is reported, and nothing is left unhandled', async (t) => {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  t.teardown(() => process.off('unhandledRejection', onUnhandled));
  const { dispatcher, errors, calls } = dispatcherOf({ detachContainer: reject });
  const container = fakeContainer();
  dispatcher.containerStarted(container);
  await dispatcher.containerStopped(container);
  dispatcher.containerRemoved(container);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.deepEqual(calls, ['attach', 'detach', 'detach', 'remove']);
  t.deepEqual(errors, ['broken: Error: broken', 'broken: Error: broken']);
  t.deepEqual(unhandled, []);
});
