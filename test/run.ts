/**
 * `npm test`: checks and tests everything, on a Docker daemon of its own where none can be reached. Further
 * arguments go to AVA (`npm test -- test/unit`).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { imagePackages } from '../agent/setup/images.ts';
import {
  bin,
  build,
  conclude,
  installPackages,
  type Outcome,
  root,
  runAva,
  say,
  withDaemon,
} from './setup.ts';
import { browserPackages } from './support/browser.ts';
import { imageBuildPackages } from './support/image.ts';

/** Debian packages of what users run beside the agent. */
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

function step(name: string, command: string, args: readonly string[]): boolean {
  say(name);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Each of these has all but what mostly waits wait for it: lines of containers that are gone in a moment, and each frame. */
const QUIET = { faults: ['logs'], e2e: ['dashboard', 'page', 'top'] };
/** And these mostly wait. */
const PATIENT = ['alerts', 'healthy'];

/**
 * AVA's arguments, in stages: those of one stage are run side by side. Of faults one file at a time, which is much; what a
 * person sees is looked at when all else is done.
 */
function stages(): readonly (readonly (readonly string[])[])[] {
  const all = (folder: string) => `test/${folder}/**/*.test.ts`;
  const file = (folder: string, name: string) => `test/${folder}/${name}.test.ts`;
  const others = (folder: 'faults' | 'e2e') =>
    readdirSync(join(root, 'test', folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => name.replace('.test.ts', ''))
      .filter((name) => ![...QUIET[folder], ...PATIENT].includes(name))
      .map((name) => file(folder, name));
  const serially = (...files: readonly string[]) => ['--serial', ...files];
  return [
    [serially(...others('faults')), [all('integration'), all('unit'), all('lint')]],
    [serially(file('e2e', 'alerts')), serially(...QUIET.faults.map((name) => file('faults', name)))],
    [serially(file('e2e', 'healthy')), serially(...others('e2e'))],
    [serially(...QUIET.e2e.map((name) => file('e2e', name)))],
  ];
}

async function main(args: readonly string[]): Promise<boolean> {
  const checked = [
    step('types', bin('tsc'), ['--noEmit']),
    step('types of the page', bin('tsc'), ['--noEmit', '--project', 'exporters/dashboard/page']),
    step('lint and format', bin('biome'), ['check', '.']),
  ].every(Boolean);
  installPackages([...imagePackages, ...imageBuildPackages, ...PEERS, ...browserPackages]);
  const cli = build();
  return withDaemon(async (host) => {
    // Debian 13 has the client in a package of its own.
    if (spawnSync('docker', ['--version']).error !== undefined) installPackages(['docker-cli']);
    const outcomes: Outcome[] = [];
    for (const stage of args.length === 0 ? stages() : [[args]])
      outcomes.push(...(await Promise.all(stage.map((run) => runAva(host, cli, run)))));
    const sum = (which: keyof Outcome) => outcomes.reduce((total, outcome) => total + outcome[which], 0);
    console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
    return sum('failed') === 0 && checked;
  });
}

conclude(main);
