/** Charts of a container. */
import type { Style } from '../../../exporters/console/colours.ts';
import { formatBytes, formatDuration, formatPercent } from '../../../exporters/console/format.ts';
import { pad } from '../../../exporters/console/text.ts';
import type { ContainerMetric, ContainerSummary } from '../../../exporters/dashboard/api.ts';
import { chart, joinColumns, roundUp, roundUpBytes, valuesIn } from '../terminal/draw.ts';
import type { ContainerSeries } from '../watch/view-source.ts';
import { cpuShare, formatRate, memoryShare, styleOfShare } from './columns.ts';
import type { ViewContext } from './view.ts';

const GAP = '  ';
/** Minimum width of a chart, columns. */
const MIN_COLUMNS = 36;
/** Minimum height of the scales: bytes per second, and CPUs. */
const MIN_RATE_SCALE = 1024;
const MIN_CPU_SCALE = 0.1;

type Values = readonly (number | null)[];

interface ChartSize {
  readonly columns: number;
  /** Not including the title. */
  readonly rows: number;
}

const greatest = (values: Values): number =>
  values.reduce<number>((most, each) => Math.max(most, each ?? 0), 0);

interface RenderedChart {
  readonly title: string;
  /** Value of the upper edge; '' if it is not shown. */
  readonly edge: string;
  readonly lines: readonly string[];
}

class ChartRenderer {
  private readonly context: Pick<ViewContext, 'paint' | 'unicode'>;
  private readonly series: ContainerSeries | undefined;
  private readonly frame: ChartSize;

  constructor(
    context: Pick<ViewContext, 'paint' | 'unicode'>,
    series: ContainerSeries | undefined,
    frame: ChartSize,
  ) {
    this.context = context;
    this.series = series;
    this.frame = frame;
  }

  cpu(container: ContainerSummary, cpus: number): RenderedChart {
    const { figures } = container;
    const values = this.values('cpu');
    const top = figures?.cpuLimit ?? Math.min(cpus, roundUp(Math.max(MIN_CPU_SCALE, greatest(values))));
    const throttled = figures?.throttled ?? 0;
    return {
      title: `CPU ${formatPercent(figures?.cpu ?? undefined)}${throttled > 0 ? `, throttled ${formatPercent(throttled)}` : ''}`,
      edge: `to ${formatPercent(top)}`,
      lines: this.area(values, top, this.frame.rows, styleOfShare(cpuShare(container, cpus))),
    };
  }

  memory(container: ContainerSummary): RenderedChart {
    const { figures } = container;
    const values = this.values('memory');
    const top = figures?.memoryLimit ?? roundUpBytes(Math.max(figures?.memory ?? 0, greatest(values)));
    const share = memoryShare(container);
    return {
      title: `MEMORY ${formatBytes(figures?.memory ?? undefined)}${share === null ? '' : `, ${formatPercent(share)}`}`,
      edge: `to ${formatBytes(top)}`,
      lines: this.area(values, top, this.frame.rows, styleOfShare(share)),
    };
  }

  /** Two rates, one above the other, with the same scale. */
  traffic(title: string, over: ContainerMetric, under: ContainerMetric): RenderedChart {
    const [upper, lower] = [this.values(over), this.values(under)];
    const top = roundUpBytes(Math.max(MIN_RATE_SCALE, greatest(upper), greatest(lower)));
    const rows = Math.floor(this.frame.rows / 2);
    const lines = [
      ...this.area(upper, top, this.frame.rows - rows, 'cyan'),
      ...this.area(lower, top, rows, 'magenta'),
    ];
    return { title, edge: '', lines };
  }

  /** Adds the title, and the scale and time span if they fit. */
  titled({ title, edge, lines }: RenderedChart): string[] {
    const { columns } = this.frame;
    const { series } = this;
    const shown = valuesIn(columns, this.context.unicode);
    const span = series === undefined ? '' : `last ${formatDuration((shown * series.step) / 1000)}`;
    const wanted = [[edge, span].filter((text) => text !== '').join(', '), edge];
    const right = wanted.find((text) => title.length + text.length < columns) ?? '';
    return [pad(title, columns - right.length) + this.context.paint('dim', right), ...lines];
  }

  private values(metric: ContainerMetric): Values {
    return this.series?.values[metric].slice(-valuesIn(this.frame.columns, this.context.unicode)) ?? [];
  }

  private area(values: Values, top: number, rows: number, style: Style): string[] {
    const { paint, unicode } = this.context;
    return chart(values, { columns: this.frame.columns, rows }, top, unicode).map((line) =>
      paint(style, line),
    );
  }
}

/** Charts of the last hour of a container, or as much of it as fits. */
export function charts(
  context: Pick<ViewContext, 'paint' | 'unicode'>,
  container: ContainerSummary,
  series: ContainerSeries | undefined,
  cpus: number,
  size: ChartSize,
): string[] {
  const { figures } = container;
  const count = Math.max(
    1,
    Math.min(4, Math.floor((size.columns + GAP.length) / (MIN_COLUMNS + GAP.length))),
  );
  const columns = Math.floor((size.columns - GAP.length * (count - 1)) / count);
  const drawing = new ChartRenderer(context, series, { columns, rows: size.rows });
  const net = `NET in ${formatRate(figures?.receive)}, out ${formatRate(figures?.transmit)}`;
  const disk = `DISK read ${formatRate(figures?.read)}, write ${formatRate(figures?.write)}`;
  const all = [
    () => drawing.cpu(container, cpus),
    () => drawing.memory(container),
    () => drawing.traffic(net, 'receive', 'transmit'),
    () => drawing.traffic(disk, 'read', 'write'),
  ];
  return joinColumns(
    all.slice(0, count).map((draw) => drawing.titled(draw())),
    GAP,
  );
}
