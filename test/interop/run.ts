/**
 * `npm run test:interop [-- peer …]`: builds or installs real back ends, sends the data of real containers into them, and
 * queries it back. Reports each peer that is absent, with the reason, and skips its tests.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { imagePackages } from '../../agent/setup/images.ts';
import { build, conclude, installPackages, onDaemon, root, runAva, say, withTestDaemon } from '../setup.ts';
import { interopPeers, variableOf } from './peers.ts';

async function main(names: readonly string[]): Promise<boolean> {
  const unknown = names.find((name) => interopPeers.every((peer) => peer.name !== name));
  if (unknown !== undefined)
    throw new Error(
      `no peer is named ${unknown}; there are ${interopPeers.map(({ name }) => name).join(', ')}`,
    );
  const wanted = interopPeers.filter(({ name }) => names.length === 0 || names.includes(name));
  installPackages([...imagePackages, 'openssl']);
  const directory = join(root, '.peers');
  mkdirSync(directory, { recursive: true });
  const summary: string[] = [];
  const had: { name: string; version: string }[] = [];
  const variables: Record<string, string> = {};
  // One at a time: a build uses all cores.
  for (const { name, obtain } of wanted) {
    say(`obtaining ${name}`);
    const found = await obtain(directory);
    if ('absent' in found) {
      summary.push(`${name}: skipped: ${found.absent}`);
      continue;
    }
    say(`${name} is ${found.version}`);
    variables[variableOf(name)] = found.path;
    had.push({ name, version: found.version });
  }
  const cli = build();
  const isPassed = await withTestDaemon(async (host) => {
    let isGood = true;
    for (const { name, version } of had) {
      const file = `test/interop/${name}.test.ts`;
      if (!existsSync(join(root, file))) throw new Error(`${name} has no tests: there is no ${file}`);
      const args = ['--config', 'test/interop/ava.config.mjs', '--serial', file];
      const { passed, failed } = await runAva(args, { ...onDaemon(host, cli), ...variables });
      isGood &&= failed === 0;
      summary.push(
        `${name} ${version}: ran ${passed + failed} tests${failed > 0 ? `, ${failed} failed` : ''}`,
      );
    }
    return isGood;
  });
  for (const line of summary) console.log(line);
  console.log(`${had.length} of ${wanted.length} peers ran`);
  return isPassed;
}

conclude(main);
