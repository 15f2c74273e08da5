/** Keeps the results of benches in test/bench/results/, and makes docs/performance.md from them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bench, Findings, Plot } from './bench.ts';
import type { PeerSearch } from './peers/peer.ts';
import { svg } from './plot.ts';
import { markdownTable } from './table.ts';

const root = join(import.meta.dirname, '../..');
const results = join(import.meta.dirname, 'results');

/** The kept part of a run: only what docs/performance.md shows. */
interface Result extends Findings {
  /** Day of the run. */
  readonly measured: string;
  readonly machine: string;
  /** Version of each peer, or why it was absent. */
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

/** Pairs and short objects of numbers stand in one line each. */
const toText = (result: Result): string =>
  `${JSON.stringify(result, null, 2).replaceAll(
    /[[{]\n\s+([^[\]{}]{0,90}?)\n\s+[\]}]/g,
    (whole, inner: string) => {
      const line = inner.replaceAll(/\n\s+/g, ' ');
      return whole.startsWith('[') ? `[${line}]` : `{ ${line} }`;
    },
  )}\n`;

/** A plot is some hundred pixels wide: four digits are more than it shows. */
const rounded = (plot: Plot): Plot => ({
  ...plot,
  curves: plot.curves.map(({ name, points }) => ({
    name,
    points: points.map(([x, y]) => [Number(x.toPrecision(4)), Number(y.toPrecision(4))] as const),
  })),
});

export function keepResult(name: string, { rows, plot }: Findings, peers: Record<string, PeerSearch>): void {
  const result: Result = {
    measured: new Date().toISOString().slice(0, 10),
    machine: machine(),
    peers: Object.fromEntries(
      Object.entries(peers).map(([peer, found]) => [
        peer,
        'absent' in found ? `absent: ${found.absent}` : found.version,
      ]),
    ),
    rows,
    ...(plot !== undefined && { plot: rounded(plot) }),
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.json`), toText(result));
}

function section(
  name: string,
  { title, about }: Bench,
  { measured, machine, peers, rows, plot }: Result,
): string[] {
  const compared = Object.entries(peers).map(([peer, version]) => `${peer} ${version}`);
  if (plot !== undefined) writeFileSync(join(root, `docs/performance-${name}.svg`), svg(plot));
  return [
    `## ${title}`,
    '',
    about.trim(),
    '',
    ...markdownTable(rows),
    '',
    `\`npm run bench:${name}\`, ${measured}. ${machine}.${compared.length > 0 ? ` ${compared.join('; ')}.` : ''}`,
    '',
    ...(plot === undefined ? [] : [`![${plot.title}](performance-${name}.svg)`, '']),
  ];
}

/** Writes docs/performance.md and its plots from the kept results, in the order of the benches. */
export function writePage(benches: ReadonlyMap<string, Bench>): void {
  const sections = [...benches].flatMap(([name, bench]) => {
    const path = join(results, `${name}.json`);
    return existsSync(path) ? section(name, bench, JSON.parse(readFileSync(path, 'utf8')) as Result) : [];
  });
  const page = [
    readFileSync(join(import.meta.dirname, 'preface.md'), 'utf8').trim(),
    '',
    ...sections,
    readFileSync(join(import.meta.dirname, 'profiles.md'), 'utf8').trim(),
    '',
  ];
  writeFileSync(join(root, 'docs/performance.md'), page.join('\n'));
}
