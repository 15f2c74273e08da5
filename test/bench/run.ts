/**
 * `npm run bench`, and `npm run bench:<name>`: what the agent costs the host and what it carries, beside what a user would
 * run otherwise, measured in the same run with the built agent, as root. Prints a table, keeps the figures in
 * test/bench/results/, and makes docs/performance.md from all that is kept.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { buildAgent } from './agent.ts';
import type { Bench } from './bench.ts';
import { type Name, names } from './names.ts';
import { peers as known } from './peers/index.ts';
import { digest } from './profile.ts';
import { keep, writePage } from './results.ts';
import { terminalTable } from './table.ts';

interface Options {
  readonly peers?: string;
  readonly minutes: number;
  readonly cpuProf?: boolean;
  readonly built?: boolean;
}

const root = join(import.meta.dirname, '../..');
const profiles = join(root, '.profiles');

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

async function one(name: Name, { peers, minutes, cpuProf }: Options): Promise<void> {
  const { bench } = (await import(`./cases/${name}.ts`)) as { bench: Bench };
  const path = [peers, process.env.PATH].filter(Boolean).join(delimiter);
  const found = Object.fromEntries(
    await Promise.all(known.map(async (peer) => [peer.name, await peer.find(path)] as const)),
  );
  const directory = join(profiles, name);
  rmSync(directory, { recursive: true, force: true });
  console.log(`\n${bench.title}`);
  const findings = await bench.run({
    cli: join(root, 'dist/agent/cli.js'),
    peers: found,
    profiles: cpuProf ? directory : undefined,
    minutes,
    say: (line) => console.error(`  ${line}`),
  });
  console.log(terminalTable(findings.rows));
  // Profiling costs time itself: such figures are not for keeping.
  if (cpuProf) {
    const profiled = existsSync(directory) ? readdirSync(directory) : [];
    if (profiled.length === 0)
      console.log(`${name} measures itself: node --cpu-prof test/bench/run.ts ${name}`);
    for (const each of profiled) digest(join(directory, each));
    return;
  }
  keep(name, bench, findings, bench.runsPeers ? found : {});
  writePage(names);
}

/** Each in a process of its own: one of them has a clock of its own. */
function all(wanted: readonly Name[]): void {
  for (const name of wanted) {
    const { status } = spawnSync(
      process.execPath,
      [
        import.meta.filename,
        name,
        '--built',
        ...process.argv.slice(2).filter((each) => !names.includes(each as Name)),
      ],
      { stdio: 'inherit' },
    );
    if (status !== 0) process.exitCode = 1;
  }
}

await new Command('bench')
  .addArgument(new Argument('[names...]', 'which; all by default').choices(names))
  .option('--peers <directory>', 'where programs to compare with are, besides PATH')
  .option('--minutes <count>', 'how long the soak takes', positive, 30)
  .option('--cpu-prof', 'keep profiles in .profiles/ and tell what is hot, instead of keeping the figures')
  .option('--built', 'measure dist/ as it is')
  .action(async (given: Name[], options: Options) => {
    if (!options.built) buildAgent();
    const wanted = given.length === 0 ? names : given;
    if (wanted.length === 1) await one(wanted[0]!, options);
    else all(wanted);
  })
  .parseAsync();
process.exit();
