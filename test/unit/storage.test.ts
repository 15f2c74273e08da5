/** What the daemon says of its disks, and when it is asked; the daemon here is a script. */
import test from 'ava';
import type Docker from 'dockerode';
import { catalogue } from '../../collectors/catalogue/index.ts';
import { StorageCollector } from '../../collectors/docker/storage/index.ts';
import type { Point } from '../../collectors/records/records.ts';
import { waitFor } from '../support/wait.ts';

test('a daemon that is asked by somebody else is asked again soon, which is no fault', async (t) => {
  let asked = 0;
  const docker = {
    info: async () => ({ DockerRootDir: '/var/lib/docker' }),
    df: async () => {
      if (++asked === 1)
        throw new Error('(HTTP code 500) server error - a disk usage operation is already running ');
      return { LayersSize: 7, Images: [], Containers: [], Volumes: [], BuildCache: [] };
    },
  } as unknown as Docker;
  const faults: unknown[] = [];
  const sink = {
    reportError: (_: string, error: unknown) => void faults.push(error),
    emitEvent: async () => {},
    emitSpan: async () => {},
    openLog: () => undefined,
  };
  const storage = new StorageCollector(docker, sink, { intervalMs: 3_600_000, rootfs: undefined });
  t.teardown(() => storage.close());
  await storage.refresh();
  await waitFor('the second question', () => asked === 2);
  const points: Point[] = [];
  await waitFor('the answer', () => {
    storage.collectHost({ push: (point: Point) => void points.push(point) } as never);
    return points.length > 0;
  });
  t.is(points.find(({ metric }) => metric === catalogue.daemonImageSize)?.value, 7);
  t.deepEqual(faults, []);
});
