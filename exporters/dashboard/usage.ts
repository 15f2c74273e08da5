/** What the points of a round come to for a person: use beside its limit, and counters as rates. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet, Points } from '../../collectors/records/points.ts';
import type { Attributes, Metric } from '../../collectors/records/records.ts';
import { containerMetrics, type Figures, type HostFigures, hostMetrics } from './api.ts';
import { UsageHistory } from './usage-history.ts';

/** Counters that are summed over interfaces, devices and modes, and of which the increase is wanted. */
const COUNTERS = 6;
const RECEIVE = 0;
const TRANSMIT = 1;
const READ = 2;
const WRITE = 3;
/** Of a container: CPU periods, and those in which it was throttled; of the host: CPU seconds in use. */
const PERIODS = 4;
const BUSY = 4;
const THROTTLED = 5;

type Choose = (attributes: Attributes | undefined) => number | undefined;

const byDirection =
  (key: string, directions: Readonly<Record<string, number>>): Choose =>
  (attributes) =>
    directions[String(attributes?.[key])];

const byNetwork = byDirection('network.io.direction', { receive: RECEIVE, transmit: TRANSMIT });
const byDisk = byDirection('disk.io.direction', { read: READ, write: WRITE });
const IDLE = new Set(['idle', 'iowait']);

/** Which counter a point is added to. */
const containerCounters = new Map<Metric, Choose>([
  [catalogue.networkIo, byNetwork],
  [catalogue.diskIo, byDisk],
  [catalogue.cpuPeriods, () => PERIODS],
  [catalogue.cpuThrottledPeriods, () => THROTTLED],
]);
const hostCounters = new Map<Metric, Choose>([
  [catalogue.systemNetworkIo, byNetwork],
  [catalogue.systemDiskIo, byDisk],
  [catalogue.systemCpuTime, (attributes) => (IDLE.has(String(attributes?.['cpu.mode'])) ? undefined : BUSY)],
]);

/** Sums of this look; one for all, for it is used at one go. */
const sums = new Float64Array(COUNTERS);
const rates = new Float64Array(COUNTERS);

/** Counters as they were at the last look, for what they have risen by since. */
class CounterRates {
  private readonly last = new Float64Array(COUNTERS).fill(Number.NaN);
  private lastTime = Number.NaN;

  /** Puts the increase of each counter a second into `rates`; NaN for what is not known, or was reset. */
  computeRates(points: Points, chosen: ReadonlyMap<Metric, Choose>, time: number): void {
    sums.fill(Number.NaN);
    const { metrics, values, attributes, length } = points;
    for (let index = 0; index < length; index++) {
      const counter = chosen.get(metrics[index]!)?.(attributes[index]);
      if (counter === undefined) continue;
      const sum = sums[counter]!;
      sums[counter] = Number.isNaN(sum) ? values[index]! : sum + values[index]!;
    }
    const seconds = (time - this.lastTime) / 1000;
    for (let counter = 0; counter < COUNTERS; counter++) {
      const increase = sums[counter]! - this.last[counter]!;
      rates[counter] = increase >= 0 && seconds > 0 ? increase / seconds : Number.NaN;
    }
    this.last.set(sums);
    this.lastTime = time;
  }

  /** A share of two counters' increases. */
  static share(part: number, whole: number): number {
    return rates[whole]! > 0 ? rates[part]! / rates[whole]! : Number.NaN;
  }
}

const orNull = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

const milliseconds = ({ time }: MetricSet): number => Number(time / 1_000_000n);

/** One container's figures, and what they were in the last hour. */
export class ContainerUsage {
  readonly history: UsageHistory;
  latest: Figures;
  private readonly rates = new CounterRates();
  private readonly row = new Float64Array(containerMetrics.length);

  constructor(step: number) {
    this.history = new UsageHistory(containerMetrics.length, step);
    this.latest = NONE;
  }

  /** Whether a round says anything of a container's use: not of one that does not run. */
  static hasUsage({ points }: MetricSet): boolean {
    return (
      points.firstValue(catalogue.memoryUsage) !== undefined ||
      points.firstValue(catalogue.cpuUsage) !== undefined
    );
  }

  update(set: MetricSet): void {
    const { points } = set;
    const time = milliseconds(set);
    this.rates.computeRates(points, containerCounters, time);
    const of = (metric: Metric) => orNull(points.firstValue(metric));
    this.latest = {
      time,
      cpu: of(catalogue.cpuUsage),
      cpuLimit: of(catalogue.cpuLimit),
      throttled: orNull(CounterRates.share(THROTTLED, PERIODS)),
      memory: of(catalogue.memoryWorkingSet),
      memoryLimit: of(catalogue.memoryLimit),
      receive: orNull(rates[RECEIVE]),
      transmit: orNull(rates[TRANSMIT]),
      read: orNull(rates[READ]),
      write: orNull(rates[WRITE]),
      pids: of(catalogue.pidsCount),
      pidsLimit: of(catalogue.pidsLimit),
    };
    containerMetrics.forEach((name, column) => {
      this.row[column] = this.latest[name] ?? Number.NaN;
    });
    this.history.add(time, this.row);
  }
}

/** The host's. */
export class HostUsage {
  readonly history: UsageHistory;
  latest: HostFigures | null = null;
  private readonly rates = new CounterRates();
  private readonly row = new Float64Array(hostMetrics.length);

  constructor(step: number) {
    this.history = new UsageHistory(hostMetrics.length, step);
  }

  update(set: MetricSet): void {
    const { points } = set;
    const time = milliseconds(set);
    this.rates.computeRates(points, hostCounters, time);
    const total = points.firstValue(catalogue.systemMemoryLimit);
    const available = points.firstValue(catalogue.systemMemoryAvailable);
    const latest: HostFigures = {
      time,
      cpu: orNull(rates[BUSY]),
      cpus: orNull(points.firstValue(catalogue.systemCpuCount)),
      memory: total === undefined || available === undefined ? null : total - available,
      memoryTotal: orNull(total),
      receive: orNull(rates[RECEIVE]),
      transmit: orNull(rates[TRANSMIT]),
      read: orNull(rates[READ]),
      write: orNull(rates[WRITE]),
      uptime: orNull(points.firstValue(catalogue.systemUptime)),
    };
    this.latest = latest;
    hostMetrics.forEach((name, column) => {
      this.row[column] = latest[name] ?? Number.NaN;
    });
    this.history.add(time, this.row);
  }
}

const NONE: Figures = {
  time: 0,
  cpu: null,
  cpuLimit: null,
  throttled: null,
  memory: null,
  memoryLimit: null,
  receive: null,
  transmit: null,
  read: null,
  write: null,
  pids: null,
  pidsLimit: null,
};
