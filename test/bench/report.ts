/** docs/performance.md and its plot, from the results of one run. */
import { cpus, release } from 'node:os';
import type { Measured } from './measured.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly docker: string;
}

const rounded = (value: number): string => String(Number(value.toPrecision(3)));

export function rowsOf(results: readonly Measured[]): string[][] {
  return results.map(({ what, value, unit, baseline, moreIsBetter, target }) => [
    what,
    `${rounded(value)} ${unit}`.trim(),
    baseline === undefined ? '' : `${rounded(baseline)} ${unit}`,
    baseline === undefined
      ? ''
      : moreIsBetter || baseline < value
        ? `${rounded(value / baseline)} ×`
        : `1/${Math.round(baseline / value)}`,
    target,
  ]);
}

export const HEAD = ['what', 'Portlight', 'baseline', 'ratio', 'target'];

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const tableOf = (results: readonly Measured[]): string[] =>
  [HEAD, HEAD.map(() => '---'), ...rowsOf(results)].map(line);

/** What this machine is. */
export const machineOf = (docker: string): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown processor',
  cores: cpus().length,
  kernel: release(),
  node: process.version,
  docker,
});

const described = (machine: Machine): string =>
  `Machine: ${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}, Docker ${machine.docker}.`;

export function page(results: readonly Measured[], machine: Machine): string {
  return [
    '# Performance',
    '',
    'Written by `npm run bench`, which measures the agent and what it replaces in the same run. Times depend on the',
    'machine; the ratios are what to look at.',
    '',
    described(machine),
    '',
    ...tableOf(results),
    '',
    '"CPU per container and round" with containers is CPU time of agent, dockerd and containerd together, less what the',
    'daemon takes when nobody asks, at an interval of 1 s; its baseline is a one-shot poll of the stats API for the same',
    'containers. With cgroups it is that of the collectors and the encoder alone, over cgroups that the bench makes.',
    '',
    '![CPU time of a round by number of cgroups](performance.svg)',
    '',
  ].join('\n');
}

/** docs/performance-logs.md. */
export function logsPage(results: readonly Measured[], machine: Machine): string {
  return [
    '# Performance of logs',
    '',
    'Written by `npm run bench:logs`. "Lines per CPU-second" is from json-file logs on disk to an OTLP receiver that',
    'has acknowledged them, positions kept, CPU of the whole process; lines are 186 bytes in the file. Its baseline',
    "reads the same file by line, parses the driver's JSON, and emits through the OpenTelemetry SDK's batch processor",
    "and exporter. Age on arrival is from the daemon's time stamp to the receiver, of the agent as it is installed.",
    '',
    described(machine),
    '',
    ...tableOf(results),
    '',
  ].join('\n');
}

/** docs/performance-events.md. */
export function eventsPerformancePage(results: readonly Measured[], machine: Machine): string {
  return [
    '# Performance of events',
    '',
    'Written by `npm run bench:events`: containers are paused, let go on and restarted on a host with 100 of them. Age',
    "on arrival is from the daemon's time stamp to the receiver, of the agent as it is installed, with metrics every",
    '10 s beside. Its baseline is a bare reader of `GET /events` in the process that causes the events.',
    '',
    described(machine),
    '',
    ...tableOf(results),
    '',
  ].join('\n');
}

/** docs/performance-fleet.md. */
export function fleetPage(results: readonly Measured[]): string {
  return [
    '# A fleet and its receiver',
    '',
    "Written by `npm run bench:fleet`: a thousand agents' queues, senders, back-off and pacing as they are, in simulated",
    'time, before a receiver that is away for ten minutes. The baseline is as many clients that have their rounds at the',
    'same moments, double their waits without chance in it, and send each batch that waited by itself.',
    '',
    '![requests a second](performance-fleet.svg)',
    '',
    ...tableOf(results),
    '',
  ].join('\n');
}

/** The value below which that part of the values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 20;
const TOP = 30;
const BOTTOM = 50;

/** A line through points, with axes from 0; `points` are pairs of x and y. */
export function plot(
  title: string,
  xLabel: string,
  yLabel: string,
  points: readonly (readonly [number, number])[],
): string {
  const maxX = Math.max(...points.map(([x]) => x));
  const maxY = Math.max(...points.map(([, y]) => y));
  const at = (x: number, y: number): [number, number] => [
    LEFT + (x / maxX) * (WIDTH - LEFT - RIGHT),
    HEIGHT - BOTTOM - (y / maxY) * (HEIGHT - TOP - BOTTOM),
  ];
  const text = (x: number, y: number, content: string, anchor = 'middle') =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
  const placed = points.map(([x, y]) => ({ x, y, at: at(x, y) }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(WIDTH / 2, 18, title),
    text(WIDTH / 2, HEIGHT - 8, xLabel),
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${yLabel}</text>`,
    `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="black"/>`,
    `<path d="M${placed.map(({ at: [x, y] }) => `${x} ${y}`).join('L')}" fill="none" stroke="#1f6feb" stroke-width="2"/>`,
    ...placed.flatMap(({ x, y, at: [left, top] }) => [
      `<circle cx="${left}" cy="${top}" r="4" fill="#1f6feb"/>`,
      text(left, HEIGHT - BOTTOM + 16, String(x)),
      text(left - 8, top - 8, rounded(y), 'end'),
    ]),
    '</svg>',
    '',
  ].join('\n');
}

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [number, number])[];
}

const TICKS = 6;

/** Curves of many points: along x from 0, along y by powers of ten from 1. */
export function curves(title: string, xLabel: string, yLabel: string, all: readonly Curve[]): string {
  const maxX = Math.max(...all.flatMap(({ points }) => points.map(([x]) => x)));
  const decades = Math.ceil(Math.log10(Math.max(...all.flatMap(({ points }) => points.map(([, y]) => y)))));
  const left = (x: number) => LEFT + (x / maxX) * (WIDTH - LEFT - RIGHT);
  const top = (y: number) =>
    HEIGHT - BOTTOM - (Math.log10(Math.max(1, y)) / decades) * (HEIGHT - TOP - BOTTOM);
  const text = (x: number, y: number, content: string, anchor = 'middle') =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
  const xTicks = Array.from({ length: TICKS }, (_, index) => Math.round((maxX * index) / (TICKS - 1)));
  const yTicks = Array.from({ length: decades + 1 }, (_, index) => 10 ** index);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(WIDTH / 2, 18, title),
    text(WIDTH / 2, HEIGHT - 8, xLabel),
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${yLabel}</text>`,
    `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="black"/>`,
    ...xTicks.map((x) => text(left(x), HEIGHT - BOTTOM + 16, String(x))),
    ...yTicks.map((y) => text(LEFT - 6, top(y) + 4, y.toLocaleString('en-US'), 'end')),
    ...all.map(
      ({ colour, points }) =>
        `<path d="M${points.map(([x, y]) => `${left(x).toFixed(1)} ${top(y).toFixed(1)}`).join('L')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    ),
    ...all.map(
      ({ name, colour }, index) =>
        `<text x="${WIDTH - RIGHT}" y="${TOP + 14 + index * 16}" text-anchor="end" fill="${colour}">${name}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}
