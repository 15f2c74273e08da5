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

/** Of what a person sees, what mostly waits. */
const WAITS = ['alerts.test.ts'];
/** And where each frame counts. */
const ALONE = ['dashboard.test.ts', 'page.test.ts', 'top.test.ts'];

/**
 * AVA's arguments, in stages: those of one stage are run side by side. Of faults one file at a time, which is much; what a
 * person sees is looked at when all else is done, which would have it wait.
 */
function stages(): readonly (readonly (readonly string[])[])[] {
  const all = (folder: string) => `test/${folder}/**/*.test.ts`;
  const seen = readdirSync(join(root, 'test/e2e')).filter((name) => name.endsWith('.test.ts'));
  const others = seen.filter((name) => !WAITS.includes(name) && !ALONE.includes(name));
  const serially = (names: readonly string[]) => ['--serial', ...names.map((name) => `test/e2e/${name}`)];
  return [
    [
      ['--concurrency=1', all('faults')],
      [all('integration'), all('unit')],
    ],
    [serially(WAITS), serially(others)],
    [serially(ALONE)],
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
