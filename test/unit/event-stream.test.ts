import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type Docker from 'dockerode';
import { readRememberedEvents } from '../../collectors/docker/event-stream.ts';

test('a daemon that begins its answer late has still answered completely', async (t) => {
  const line = '{"Type":"container","Action":"start","Actor":{"ID":"a"},"timeNano":1700000000000000001}\n';
  const docker = {
    getEvents: async ({ abortSignal }: { readonly abortSignal: AbortSignal }) => {
      await sleep(3500, undefined, { signal: abortSignal });
      const stream = new PassThrough();
      stream.end(line);
      return stream;
    },
  } as unknown as Docker;
  const { signal } = new AbortController();
  const { events, isComplete } = await readRememberedEvents(docker, 0n, 1n, signal, () => t.fail());
  t.true(isComplete);
  t.deepEqual(
    events.map(({ Action }) => Action),
    ['start'],
  );
});
