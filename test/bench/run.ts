/**
 * `npm run bench` and `npm run bench:<name>`: the cost and the throughput of the built agent, beside its peers in the same
 * run. Needs root. Prints a table, keeps the figures in test/bench/results/ and writes docs/performance.md from all kept
 * figures. `npm run bench -- --page` only writes the page.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { buildAgent } from './agent.ts';
import type { Bench } from './bench.ts';
import { type Name, names } from './names.ts';
import { benchPeers as known } from './peers/index.ts';
import { digest } from './profile.ts';
import { keepResult, writePage } from './results.ts';
import { terminalTable } from './table.ts';

interface Options {
  readonly peers?: string;
  readonly minutes: number;
  readonly cpuProf?: boolean;
  readonly built?: boolean;
  readonly page?: boolean;
}

const root = join(import.meta.dirname, '../..');
const profiles = join(root, '.profiles');

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

const benchOf = async (name: Name): Promise<Bench> =>
  ((await import(`./cases/${name}.ts`)) as { bench: Bench }).bench;

const writePageOfAll = async (): Promise<void> =>
  writePage(new Map(await Promise.all(names.map(async (name) => [name, await benchOf(name)] as const))));

async function runBench(name: Name, { peers, minutes, cpuProf }: Options): Promise<void> {
  const bench = await benchOf(name);
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
  // Profiling costs time itself, so these figures are not kept.
  if (cpuProf) {
    const profiled = existsSync(directory) ? readdirSync(directory) : [];
    if (profiled.length === 0)
      console.log(`${name} measures itself: node --cpu-prof test/bench/run.ts ${name}`);
    for (const each of profiled) digest(join(directory, each));
    return;
  }
  keepResult(name, findings, bench.runsPeers ? found : {});
  await writePageOfAll();
}

/** Runs each bench in its own process: one of them replaces the clock. */
function runBenches(wanted: readonly Name[]): void {
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
  .addArgument(new Argument('[names...]', 'benches to run; default: all').choices(names))
  .option('--peers <directory>', 'directory with the programs of peers, searched before PATH')
  .option('--minutes <count>', 'duration of the soak', positive, 30)
  .option(
    '--cpu-prof',
    'keep CPU profiles in .profiles/ and show what is hot, instead of keeping the figures',
  )
  .option('--built', 'measure dist/ without building it')
  .option('--page', 'write docs/performance.md from the kept figures, without measuring')
  .action(async (given: Name[], options: Options) => {
    if (options.page) return writePageOfAll();
    if (!options.built) buildAgent();
    const wanted = given.length === 0 ? names : given;
    if (wanted.length === 1) await runBench(wanted[0]!, options);
    else runBenches(wanted);
  })
  .parseAsync();
process.exit();
