/** What benches have found, kept in test/bench/results/, and docs/performance.md, which is made from all of it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bench, Findings } from './bench.ts';
import type { Found } from './peers/peer.ts';
import { svg } from './plot.ts';
import { markdownTable } from './table.ts';

const root = join(import.meta.dirname, '../..');
const results = join(import.meta.dirname, 'results');

export interface Result extends Findings {
  readonly bench: string;
  readonly title: string;
  readonly about: string;
  /** Day. */
  readonly measured: string;
  readonly machine: string;
  /** Versions of who was compared with, or why they were not. */
  readonly peers: Readonly<Record<string, string>>;
}

const machine = (): string =>
  [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'cgroup v2' : 'cgroup v1',
    `Node ${process.version}`,
  ].join(', ');

export function keep(name: string, bench: Bench, findings: Findings, peers: Record<string, Found>): Result {
  const result: Result = {
    bench: name,
    title: bench.title,
    about: bench.about,
    measured: new Date().toISOString().slice(0, 10),
    machine: machine(),
    peers: Object.fromEntries(
      Object.entries(peers).map(([peer, found]) => [
        peer,
        'absent' in found ? `absent: ${found.absent}` : found.version,
      ]),
    ),
    ...findings,
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

function section({ bench, title, about, measured, machine, peers, rows, plot }: Result): string[] {
  const compared = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  if (plot !== undefined) writeFileSync(join(root, `docs/performance-${bench}.svg`), svg(plot));
  return [
    `## ${title}`,
    '',
    about.trim(),
    '',
    ...markdownTable(rows),
    '',
    `\`npm run bench:${bench}\`, ${measured}. ${machine}.${compared.length > 0 ? ` ${compared.join('; ')}.` : ''}`,
    '',
    ...(plot === undefined ? [] : [`![${plot.title}](performance-${bench}.svg)`, '']),
  ];
}

/** Writes docs/performance.md and its plots, in the order of the names. */
export function writePage(names: readonly string[]): void {
  const kept = new Set(readdirSync(results));
  const all = names
    .filter((name) => kept.has(`${name}.json`))
    .map((name) => JSON.parse(readFileSync(join(results, `${name}.json`), 'utf8')) as Result);
  const page = [
    readFileSync(join(import.meta.dirname, 'preface.md'), 'utf8').trim(),
    '',
    ...all.flatMap(section),
    readFileSync(join(import.meta.dirname, 'profiles.md'), 'utf8').trim(),
    '',
  ];
  writeFileSync(join(root, 'docs/performance.md'), page.join('\n'));
}
