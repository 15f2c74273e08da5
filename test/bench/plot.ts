/** Draws curves as SVG. */
import type { Plot } from './bench.ts';

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 20;
const TOP = 30;
const BOTTOM = 50;
const TICKS = 6;
/** Most points of a curve that are marked one by one. */
const MARKED = 12;
/** The first is the agent's. */
const COLOURS = ['#1f6feb', '#8c8c8c', '#d29922', '#a371f7', '#3fb950', '#f85149', '#db61a2'];

/** The next round number from a value upwards. */
function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value)!;
}

const short = (value: number): string =>
  Number(value.toPrecision(3)).toLocaleString('en-US', { maximumSignificantDigits: 3 });

export function svg({ title, xLabel, yLabel, curves, logarithmic = false }: Plot): string {
  const all = curves.flatMap(({ points }) => points);
  const maxX = Math.max(...all.map(([x]) => x));
  const highest = Math.max(...all.map(([, y]) => y));
  const decades = Math.max(1, Math.ceil(Math.log10(highest)));
  const maxY = ceiling(highest);
  const left = (x: number) => LEFT + (x / maxX) * (WIDTH - LEFT - RIGHT);
  const share = (y: number) => (logarithmic ? Math.log10(Math.max(1, y)) / decades : y / maxY);
  const top = (y: number) => HEIGHT - BOTTOM - share(y) * (HEIGHT - TOP - BOTTOM);
  const text = (x: number, y: number, content: string, anchor = 'middle') =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`;
  const steps = Array.from({ length: TICKS }, (_, index) => index / (TICKS - 1));
  const yTicks = logarithmic
    ? Array.from({ length: decades + 1 }, (_, index) => 10 ** index)
    : steps.map((step) => step * maxY);
  const isMarked = all.length <= MARKED * curves.length;
  const xTicks = isMarked ? [...new Set(all.map(([x]) => x))] : steps.map((step) => Math.round(step * maxX));
  const place = ([x, y]: readonly [number, number]) => `${left(x).toFixed(1)} ${top(y).toFixed(1)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(WIDTH / 2, 18, title),
    text(WIDTH / 2, HEIGHT - 8, xLabel),
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${yLabel}</text>`,
    `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="black"/>`,
    ...xTicks.map((x) => text(left(x), HEIGHT - BOTTOM + 16, short(x))),
    ...yTicks.map((y) => text(LEFT - 6, top(y) + 4, short(y), 'end')),
    ...curves.flatMap(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      return [
        `<path d="M${points.map(place).join('L')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
        ...(isMarked
          ? points.map(
              ([x, y]) =>
                `<circle cx="${left(x).toFixed(1)}" cy="${top(y).toFixed(1)}" r="3" fill="${colour}"/>`,
            )
          : []),
        `<text x="${LEFT + 12}" y="${TOP + 14 + index * 16}" fill="${colour}">${name}</text>`,
      ];
    }),
    '</svg>',
    '',
  ].join('\n');
}
