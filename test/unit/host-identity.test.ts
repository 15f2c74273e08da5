import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readHostAttributes } from '../../collectors/host/identity.ts';
import { temporaryDirectory } from '../support/temporary.ts';

test("in a container, host attributes come from the host's own files", async (t) => {
  const rootfs = temporaryDirectory(t);
  mkdirSync(join(rootfs, 'etc'));
  writeFileSync(join(rootfs, 'etc/hostname'), 'node-7\n');
  writeFileSync(join(rootfs, 'etc/machine-id'), '0123456789abcdef0123456789abcdef\n');
  writeFileSync(join(rootfs, 'etc/os-release'), 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=42\n');
  const attributes = await readHostAttributes('/proc', rootfs);
  t.is(attributes['host.name'], 'node-7');
  t.is(attributes['host.id'], '0123456789abcdef0123456789abcdef');
  t.is(attributes['os.name'], 'Fedora Linux');
  t.is(attributes['os.version'], '42');
  t.is(attributes['os.type'], 'linux');
});

test('an attribute that cannot be read is absent', async (t) => {
  const attributes = await readHostAttributes('/proc', temporaryDirectory(t));
  t.false('host.id' in attributes);
  t.false('os.name' in attributes);
  t.truthy(attributes['host.name']);
});
