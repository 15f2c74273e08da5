/**
 * `npm test`: checks and tests everything. Starts a Docker daemon if none answers. Further arguments go to AVA
 * (`npm test -- test/integration/gap.test.ts`).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { imagePackages } from '../agent/setup/images.ts';
import {
  build,
  checkSources,
  conclude,
  installPackages,
  onDaemon,
  root,
  runAva,
  type TestCounts,
  withTestDaemon,
} from './setup.ts';
import { browserPackages } from './support/browser.ts';
import { imageBuildPackages } from './support/image.ts';

/** Debian packages of the programs that users run beside the agent. */
const PEERS = [
  'prometheus',
  'prometheus-alertmanager',
  'docker-compose',
  'docker-registry',
  'podman',
  'systemd',
  'netavark',
  'haproxy',
  'rootlesskit',
  'uidmap',
  'openssl',
  'openssh-client',
  'openssh-server',
  'faketime',
  'tmux',
  'zsh',
  'fish',
];

/**
 * Files that run while no other stage does: short-lived containers whose last lines are counted, and a page whose frames
 * are.
 */
const ALONE = { faults: ['logs'], e2e: ['dashboard', 'page', 'top'] };
/** Files that mostly wait, so that they can share the machine with those above. */
const WAITING = ['alerts', 'healthy'];

/**
 * AVA's arguments, by stage. The runs of a stage are parallel; the stages follow each other. Fault tests run one file at a
 * time, because each loads the machine.
 */
function stages(): readonly (readonly (readonly string[])[])[] {
  const all = (folder: string) => `test/${folder}/**/*.test.ts`;
  const file = (folder: string, name: string) => `test/${folder}/${name}.test.ts`;
  const others = (folder: 'faults' | 'e2e') =>
    readdirSync(join(root, 'test', folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => name.replace('.test.ts', ''))
      .filter((name) => ![...ALONE[folder], ...WAITING].includes(name))
      .map((name) => file(folder, name));
  const serially = (...files: readonly string[]) => ['--serial', ...files];
  // Most rules need minutes: see the file's comment.
  const onRequest =
    process.env.PORTLIGHT_TEST_MINUTES === undefined ? [] : [serially(file('e2e', 'healthy'))];
  return [
    [serially(...others('faults')), [all('integration'), all('unit'), all('lint')]],
    [serially(file('e2e', 'alerts')), serially(...ALONE.faults.map((name) => file('faults', name)))],
    [...onRequest, serially(...others('e2e'))],
    [serially(...ALONE.e2e.map((name) => file('e2e', name)))],
  ];
}

async function main(args: readonly string[]): Promise<boolean> {
  const isClean = checkSources();
  installPackages([...imagePackages, ...imageBuildPackages, ...PEERS, ...browserPackages]);
  const cli = build();
  return withTestDaemon(async (host) => {
    // In Debian 13 the client is a separate package.
    if (spawnSync('docker', ['--version']).error !== undefined) installPackages(['docker-cli']);
    const outcomes: TestCounts[] = [];
    for (const stage of args.length === 0 ? stages() : [[args]])
      outcomes.push(...(await Promise.all(stage.map((run) => runAva(run, onDaemon(host, cli))))));
    const sum = (which: keyof TestCounts) => outcomes.reduce((total, outcome) => total + outcome[which], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
    return sum('failed') === 0 && isClean;
  });
}

conclude(main);
