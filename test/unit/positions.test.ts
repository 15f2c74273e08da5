import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { Positions } from '../../agent/process/positions.ts';
import { upperLayer } from '../../collectors/docker/own-container-lookup.ts';
import { LogPositionStore } from '../../collectors/logs/position-store.ts';
import { startPosition } from '../../collectors/logs/shared/position.ts';
import { ownContainerId } from '../../collectors/shared/own-container.ts';
import { fakeContainer } from '../support/container.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait.ts';

test("positions survive a restart, and another process's lock", async (t) => {
  const directory = temporaryDirectory(t);
  const errors: unknown[] = [];
  const positions = new Positions(directory, (error) => errors.push(error));
  const other = new DatabaseSync(join(directory, 'positions.db'));
  other.exec('BEGIN IMMEDIATE');
  positions.save('logs/a', '1');
  await waitFor('the error', () => errors.length > 0);
  t.regex(String(errors[0]), /locked/);
  other.exec('ROLLBACK');
  other.close();
  positions.save('logs/b', '2');
  positions.save('logs/c', '3');
  positions.delete('logs/c');
  positions.close();
  const again = new Positions(directory, () => t.fail());
  t.deepEqual(
    ['logs/a', 'logs/b', 'logs/c'].map((source) => again.load(source)),
    ['1', '2', undefined],
  );
  again.close();
});

test('each target stores the positions of its own logs, and a late acknowledgement does not restore a removed one', (t) => {
  const all = new Positions(undefined, () => t.fail());
  t.teardown(() => all.close());
  const [local, remote] = [all, all.section('daemon/remote/')].map((store) => new LogPositionStore(store));
  const container = fakeContainer();
  const position = { ...startPosition(), seconds: 7, offset: 70 };
  remote!.save(container, position);
  t.is(local!.load(container.id), undefined);
  t.deepEqual(remote!.load(container.id), position);
  t.deepEqual(all.idsUnder('daemon/remote/logs/'), [container.id]);
  remote!.forget(container);
  remote!.save(container, position);
  t.is(remote!.load(container.id), undefined);
});

test("the agent's own container is recognised by its cgroup or its mounts", (t) => {
  const id = 'd666dc81c5dbdd2d77231a2320a0c15c5a8e294b533627099e5e948ec2dd284d';
  const host = '0::/user.slice/session-1.scope\n';
  const mount = `812 795 0:55 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/vda rw\n`;
  const read = (cgroup: string, mountinfo: string) =>
    ownContainerId((file) => (file === 'cgroup' ? cgroup : mountinfo));
  t.is(read(`0::/system.slice/docker-${id}.scope\n`, ''), id);
  t.is(read('0::/\n', mount), id);
  t.is(read(host, '1 1 0:1 / / rw - ext4 /dev/vda rw\n'), undefined);
});

test("a container's upper layer is that of the last mount over its root", (t) => {
  const overlay = (point: string, upper: string) =>
    `812 795 0:55 / ${point} rw - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=${upper},workdir=/w\n`;
  t.is(upperLayer(overlay('/', '/o/1/diff') + overlay('/data', '/o/2/diff')), '/o/1/diff');
  t.is(upperLayer(overlay('/', '/o/1/diff') + overlay('/', 'o/3/diff')), 'o/3/diff');
  t.is(upperLayer('1 1 0:1 / / rw - ext4 /dev/vda rw\n'), undefined);
});
