import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ContainerRegistry } from '../../collectors/docker/container-registry.ts';
import type { DaemonAbsence } from '../../collectors/docker/daemon-absence.ts';
import type { Inventory } from '../../collectors/docker/inventory.ts';
import { ObjectQueue } from '../../collectors/docker/object-queue.ts';
import { Reconciler } from '../../collectors/docker/reconciler.ts';
import type { ExitEvidence } from '../../collectors/lifecycle/exit-classifier.ts';
import { fromActor } from '../../collectors/lifecycle/identity.ts';
import { LifecycleReporter } from '../../collectors/lifecycle/lifecycle-reporter.ts';
import type { RecordSink } from '../../collectors/records/collector.ts';
import { storeOn } from '../support/store.ts';
import { waitFor } from '../support/wait.ts';

/** Reconciles one container whose creation was missed. Its event goes to `emitEvent`. */
async function concludeCreation(emitEvent: RecordSink['emitEvent']): Promise<unknown[]> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const container = { ...fromActor('a', { name: 'a' }, {}), createdAt: 1n };
  const reporter = new LifecycleReporter({
    sink: { emitEvent, emitSpan: async () => {}, openLog: () => undefined, reportError: () => {} },
    // There was an inventory before: the container is new.
    store: storeOn(new Map([['told', 'yes']])),
    evidence: {} as ExitEvidence,
    redactCommand: undefined,
  });
  const snapshot = { ids: new Set(['a']), found: new Map([['a', container]]) };
  const registry = { ignored: new Set<string>(), known: new Map([['a', container]]) };
  const inventory = { takeSnapshot: async () => snapshot, takePartialSnapshot: async () => snapshot };
  const reconciler = new Reconciler({
    registry: registry as unknown as ContainerRegistry,
    inventory: inventory as unknown as Inventory,
    reporter,
    queue: new ObjectQueue(onError),
    absence: { includes: () => false } as unknown as DaemonAbsence,
    lifecycle: {
      containerStarting: () => {},
      containerStarted: () => {},
      containerChanged: () => {},
      containerStopped: async () => {},
      containerRemoved: () => {},
    },
    processEventsSince: async () => {},
    isConnected: () => true,
    onReconciled: () => {},
    onError,
    confirmAfterMs: 1,
  });
  await reconciler.reconcile();
  await waitFor('the error', () => errors.length > 0);
  // An unhandled rejection would end the process in the next turn of the event loop.
  await sleep(1);
  return errors.map(String);
}

test('an error while a missed event is concluded is reported, and the process continues', async (t) => {
  const errors = await concludeCreation(() => {
    throw new Error('cannot encode');
  });
  t.deepEqual(errors, ['Error: cannot encode']);
});

test('an event that the exporters reject is reported as an error, and the process continues', async (t) => {
  const errors = await concludeCreation(() => Promise.reject(new Error('cannot accept')));
  t.deepEqual(errors, ['Error: cannot accept']);
});
