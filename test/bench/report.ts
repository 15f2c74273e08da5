/** docs/performance.md and its plot, from the results of one run. */
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
  return results.map(({ what, value, unit, baseline, target }) => [
    what,
    `${rounded(value)} ${unit}`.trim(),
    baseline === undefined ? '' : `${rounded(baseline)} ${unit}`,
    baseline === undefined ? '' : `1/${Math.round(baseline / value)}`,
    target,
  ]);
}

export const HEAD = ['what', 'Portlight', 'baseline', 'ratio', 'target'];

export function page(results: readonly Measured[], machine: Machine): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    '# Performance',
    '',
    'Written by `npm run bench`, which measures the agent and what it replaces in the same run. Times depend on the',
    'machine; the ratios are what to look at.',
    '',
    `Machine: ${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}, Docker ${machine.docker}.`,
    '',
    line(HEAD),
    line(HEAD.map(() => '---')),
    ...rowsOf(results).map(line),
    '',
    '"CPU per container and round" with containers is CPU time of agent, dockerd and containerd together, less what the',
    'daemon takes when nobody asks, at an interval of 1 s; its baseline is a one-shot poll of the stats API for the same',
    'containers. With cgroups it is that of the collectors and the encoder alone, over cgroups that the bench makes.',
    '',
    '![CPU time of a round by number of cgroups](performance.svg)',
    '',
  ].join('\n');
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
