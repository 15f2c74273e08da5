/** Columns of `portlight top`: their cells, their sort order, and the screen width from which they are shown. */
import type { Paint, Style } from '../../../exporters/console/colours.ts';
import { formatBytes, formatDuration, formatPercent } from '../../../exporters/console/format.ts';
import { pad, toSingleLine } from '../../../exporters/console/text.ts';
import type { ContainerSummary } from '../../../exporters/dashboard/api.ts';
import { bar } from '../terminal/draw.ts';

export const sorts = ['name', 'cpu', 'memory', 'share', 'network', 'disk', 'pids', 'up', 'state'] as const;
export type Sort = (typeof sorts)[number];

/** Input of a cell beside its container. */
export interface CellContext {
  readonly paint: Paint;
  readonly unicode: boolean;
  /** Columns of a bar. */
  readonly bar: number;
  /** CPUs of the host. */
  readonly cpus: number;
  readonly now: number;
}

interface Column {
  readonly title: string;
  /** The sort order of this column. */
  readonly sort?: Sort;
  readonly width: (look: CellContext) => number;
  readonly side: 'left' | 'right';
  /** Minimum width of the terminal, in columns. */
  readonly from: number;
  readonly cell: (container: ContainerSummary, look: CellContext) => string;
}

/** The colour of a share of a limit. */
export const styleOfShare = (share: number | null): Style =>
  share === null || share < 0.6 ? 'green' : share < 0.85 ? 'yellow' : 'red';

export const memoryShare = ({ figures }: ContainerSummary): number | null =>
  figures?.memory == null || figures.memoryLimit === null ? null : figures.memory / figures.memoryLimit;

/** Share of the container's CPU limit, or of the host's CPUs without a limit. */
export const cpuShare = ({ figures }: ContainerSummary, cpus: number): number | null =>
  figures?.cpu == null ? null : figures.cpu / (figures.cpuLimit ?? cpus);

/** The state of a container: status, health or exit code. */
export function describeState(container: ContainerSummary): { text: string; style: Style } {
  const { status, health, exitCode, oomKilled } = container;
  if (status === 'running') {
    if (health === 'unhealthy') return { text: 'unhealthy', style: 'red' };
    return health === 'starting'
      ? { text: 'starting', style: 'yellow' }
      : { text: health ?? 'running', style: 'green' };
  }
  if (status === 'exited' || status === 'dead') {
    if (oomKilled) return { text: 'OOM-killed', style: 'red' };
    return { text: `${status} ${exitCode ?? ''}`.trim(), style: exitCode === 0 ? 'dim' : 'red' };
  }
  return { text: status, style: status === 'created' || status === 'removed' ? 'dim' : 'yellow' };
}

export const isActive = ({ status }: ContainerSummary): boolean =>
  status === 'running' || status === 'paused' || status === 'restarting';

/** Bytes per second. */
export const formatRate = (value: number | null | undefined): string =>
  value == null ? '-' : value < 1 ? '0' : `${formatBytes(Math.round(value))}/s`;

/** Time since the start or end of a container. */
export function formatTimeInState(
  { startedAt, finishedAt, createdAt, ...rest }: ContainerSummary,
  now: number,
): string {
  const since = isActive(rest as ContainerSummary) ? startedAt : (finishedAt ?? createdAt);
  return since === null ? '-' : formatDuration(Math.max(0, now - since) / 1000);
}

const number = (title: string, width: number, from: number, rest: Pick<Column, 'sort' | 'cell'>): Column => ({
  title,
  width: () => width,
  side: 'right',
  from,
  ...rest,
});

export const tableColumns: readonly Column[] = [
  {
    title: 'STATE',
    sort: 'state',
    width: () => 10,
    side: 'left',
    from: 0,
    cell: (container, { paint }) => {
      const { text, style } = describeState(container);
      return paint(style, pad(text, 10));
    },
  },
  number('CPU', 8, 0, { sort: 'cpu', cell: ({ figures }) => formatPercent(figures?.cpu ?? undefined) }),
  {
    title: '',
    width: (look) => look.bar,
    side: 'left',
    from: 0,
    cell: (container, { paint, unicode, bar: width, cpus }) => {
      const share = cpuShare(container, cpus);
      const isThrottled = (container.figures?.throttled ?? 0) > 0.25;
      return paint(isThrottled ? 'red' : styleOfShare(share), bar(share, width, unicode));
    },
  },
  number('MEMORY', 9, 0, {
    sort: 'memory',
    cell: ({ figures }) => formatBytes(figures?.memory ?? undefined),
  }),
  {
    title: '',
    sort: 'share',
    width: (look) => look.bar,
    side: 'left',
    from: 0,
    cell: (container, { paint, unicode, bar: width }) => {
      const share = memoryShare(container);
      return paint(styleOfShare(share), bar(share, width, unicode));
    },
  },
  number('LIMIT', 9, 70, { cell: ({ figures }) => formatBytes(figures?.memoryLimit ?? undefined) }),
  number('PIDS', 5, 92, {
    sort: 'pids',
    cell: ({ figures }) => (figures?.pids == null ? '-' : String(figures.pids)),
  }),
  number('NET IN', 12, 106, { sort: 'network', cell: ({ figures }) => formatRate(figures?.receive) }),
  number('NET OUT', 12, 120, { cell: ({ figures }) => formatRate(figures?.transmit) }),
  number('READ', 12, 140, { sort: 'disk', cell: ({ figures }) => formatRate(figures?.read) }),
  number('WRITE', 12, 154, { cell: ({ figures }) => formatRate(figures?.write) }),
  number('RESTARTS', 8, 166, { cell: ({ restarts }) => (restarts ? String(restarts) : '-') }),
  number('UP', 7, 0, { sort: 'up', cell: (container, { now }) => formatTimeInState(container, now) }),
  {
    title: 'IMAGE',
    width: () => 24,
    side: 'left',
    from: 180,
    cell: ({ image }, { paint }) => paint('dim', pad(toSingleLine(image), 24)),
  },
];

const orLast = (value: number | null | undefined): number => value ?? -1;

/** Comparator of a sort order: largest first, names ascending. */
export function orderBy(sort: Sort, now: number): (a: ContainerSummary, b: ContainerSummary) => number {
  const sum = (a: number | null | undefined, b: number | null | undefined) =>
    a == null && b == null ? -1 : (a ?? 0) + (b ?? 0);
  const values: Readonly<Record<Exclude<Sort, 'name'>, (container: ContainerSummary) => number>> = {
    cpu: ({ figures }) => orLast(figures?.cpu),
    memory: ({ figures }) => orLast(figures?.memory),
    share: (container) => orLast(memoryShare(container)),
    network: ({ figures }) => sum(figures?.receive, figures?.transmit),
    disk: ({ figures }) => sum(figures?.read, figures?.write),
    pids: ({ figures }) => orLast(figures?.pids),
    up: ({ startedAt }) => (startedAt === null ? -1 : now - startedAt),
    state: (container) => ['dim', 'green', 'yellow', 'red'].indexOf(String(describeState(container).style)),
  };
  const byName = (a: ContainerSummary, b: ContainerSummary) => (a.name < b.name ? -1 : 1);
  if (sort === 'name') return byName;
  const value = values[sort];
  return (a, b) => value(b) - value(a) || byName(a, b);
}
