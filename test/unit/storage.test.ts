/** When the storage collector requests disk use, with a scripted daemon. */
import test from 'ava';
import type Docker from 'dockerode';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { StorageCollector } from '../../collectors/docker/storage/index.ts';
import type { Point } from '../../collectors/records/records.ts';
import { waitFor } from '../support/wait.ts';

test('a daemon that is busy with another request is asked again soon, without an error', async (t) => {
  let requests = 0;
  const docker = {
    info: async () => ({ DockerRootDir: '/var/lib/docker' }),
    df: async () => {
      if (++requests === 1)
        throw new Error('(HTTP code 500) server error - a disk usage operation is already running ');
      return { LayersSize: 7, Images: [], Containers: [], Volumes: [], BuildCache: [] };
    },
  } as unknown as Docker;
  const errors: unknown[] = [];
  const sink = {
    reportError: (_: string, error: unknown) => void errors.push(error),
    emitEvent: async () => {},
    emitSpan: async () => {},
    openLog: () => undefined,
  };
  const storage = new StorageCollector(docker, sink, { intervalMs: 3_600_000, rootfs: undefined });
  t.teardown(() => storage.close());
  await storage.refresh();
  await waitFor('the second request', () => requests === 2);
  const points: Point[] = [];
  await waitFor('the answer', () => {
    storage.collectHost({ push: (point: Point) => void points.push(point) } as never);
    return points.length > 0;
  });
  t.is(points.find(({ metric }) => metric === catalogue.daemonImageSize)?.value, 7);
  t.deepEqual(errors, []);
});
