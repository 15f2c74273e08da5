/** A container's charts. */
import { bytes, duration, percent } from '../../exporters/console/format.ts';
import { pad } from '../../exporters/console/text.ts';
import type { ContainerMetric, ContainerSummary } from '../../exporters/dashboard/api.ts';
import { beside, chart, roundUp, roundUpBytes, valuesIn } from '../terminal/draw.ts';
import type { Series } from '../watch/source.ts';
import { cpuShare, memoryShare, rate, styleOfShare } from './columns.ts';
import type { Stage } from './view.ts';

const GAP = '  ';
/** Least columns of a chart. */
const LEAST = 36;
/** A chart of traffic is no finer than this, bytes a second. */
const LEAST_RATE = 1024;
/** And one of CPU use than this, CPUs. */
const LEAST_CPU = 0.1;

type Values = readonly (number | null)[];

interface Frame {
  readonly columns: number;
  /** Without the title. */
  readonly rows: number;
}

const greatest = (values: Values): number =>
  values.reduce<number>((most, each) => Math.max(most, each ?? 0), 0);

/** The last hour of a container, or as much as there is room for. */
export function charts(
  stage: Pick<Stage, 'paint' | 'unicode'>,
  container: ContainerSummary,
  series: Series | undefined,
  cpus: number,
  size: Frame,
): string[] {
  const { paint, unicode } = stage;
  const { figures } = container;
  const count = Math.max(1, Math.min(4, Math.floor((size.columns + GAP.length) / (LEAST + GAP.length))));
  const columns = Math.floor((size.columns - GAP.length * (count - 1)) / count);
  const shown = valuesIn(columns, unicode);
  const of = (metric: ContainerMetric): Values => series?.values[metric].slice(-shown) ?? [];
  const span = series === undefined ? '' : `last ${duration((shown * series.step) / 1000)}`;
  const titled = (title: string, top: string, lines: readonly string[]): string[] => {
    const wanted = [[top, span].filter((text) => text !== '').join(', '), top];
    const right = wanted.find((text) => title.length + text.length < columns) ?? '';
    return [pad(title, columns - right.length) + paint('dim', right), ...lines];
  };

  const cpu = of('cpu');
  const cpuLimit = figures?.cpuLimit ?? null;
  const cpuTop = cpuLimit ?? Math.min(cpus, roundUp(Math.max(LEAST_CPU, greatest(cpu))));
  const throttled = figures?.throttled ?? 0;
  const cpuTitle = `CPU ${percent(figures?.cpu ?? undefined)}${throttled > 0 ? `, throttled ${percent(throttled)}` : ''}`;
  const memory = of('memory');
  const limit = figures?.memoryLimit ?? null;
  const memoryTop = limit ?? roundUpBytes(Math.max(figures?.memory ?? 0, greatest(memory)));
  const share = memoryShare(container);
  const memoryTitle = `MEMORY ${bytes(figures?.memory ?? undefined)}${share === null ? '' : `, ${percent(share)}`}`;
  const all = [
    () =>
      titled(
        cpuTitle,
        `to ${percent(cpuTop)}`,
        chart(cpu, { columns, rows: size.rows }, cpuTop, unicode).map((line) =>
          paint(styleOfShare(cpuShare(container, cpus)), line),
        ),
      ),
    () =>
      titled(
        memoryTitle,
        `to ${bytes(memoryTop)}`,
        chart(memory, { columns, rows: size.rows }, memoryTop, unicode).map((line) =>
          paint(styleOfShare(share), line),
        ),
      ),
    () =>
      titled(
        `NET in ${rate(figures?.receive)}, out ${rate(figures?.transmit)}`,
        '',
        halves(of('receive'), of('transmit')),
      ),
    () =>
      titled(
        `DISK read ${rate(figures?.read)}, write ${rate(figures?.write)}`,
        '',
        halves(of('read'), of('write')),
      ),
  ];
  /** One above the other, to the same scale. */
  function halves(upper: Values, lower: Values): string[] {
    const top = roundUpBytes(Math.max(LEAST_RATE, greatest(upper), greatest(lower)));
    const rows = Math.floor(size.rows / 2);
    const above = chart(upper, { columns, rows: size.rows - rows }, top, unicode);
    const below = chart(lower, { columns, rows }, top, unicode);
    return [...above.map((line) => paint('cyan', line)), ...below.map((line) => paint('magenta', line))];
  }
  return beside(
    all.slice(0, count).map((make) => make()),
    GAP,
  );
}
