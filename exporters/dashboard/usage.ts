/** Resource usage computed from the points of a round: gauges with their limits, and counters as rates. */

import { catalogue } from '../../collectors/catalogue/index.ts';
import type { MetricSet, Points } from '../../collectors/records/points.ts';
import type { Attributes, Metric } from '../../collectors/records/records.ts';
import { type ContainerFigures, containerMetrics, type HostFigures, hostMetrics } from './api.ts';
import { UsageHistory } from './usage-history.ts';

/** Counters, summed over interfaces, devices and modes; their rates are shown. */
const COUNTERS = 6;
const RECEIVE = 0;
const TRANSMIT = 1;
const READ = 2;
const WRITE = 3;
/** For a container, CPU periods and throttled ones; for the host, CPU seconds in use. */
const PERIODS = 4;
const BUSY = 4;
const THROTTLED = 5;

type CounterOf = (attributes: Attributes | undefined) => number | undefined;

const byDirection =
  (key: string, directions: Readonly<Record<string, number>>): CounterOf =>
  (attributes) =>
    directions[String(attributes?.[key])];

const byNetwork = byDirection('network.io.direction', { receive: RECEIVE, transmit: TRANSMIT });
const byDisk = byDirection('disk.io.direction', { read: READ, write: WRITE });
const IDLE = new Set(['idle', 'iowait']);

/** The counter that a point is added to. */
const containerCounters = new Map<Metric, CounterOf>([
  [catalogue.networkIo, byNetwork],
  [catalogue.diskIo, byDisk],
  [catalogue.cpuPeriods, () => PERIODS],
  [catalogue.cpuThrottledPeriods, () => THROTTLED],
]);
const hostCounters = new Map<Metric, CounterOf>([
  [catalogue.systemNetworkIo, byNetwork],
  [catalogue.systemDiskIo, byDisk],
  [catalogue.systemCpuTime, (attributes) => (IDLE.has(String(attributes?.['cpu.mode'])) ? undefined : BUSY)],
]);

/** Scratch space for `computeRates`, shared: its results are used at once. */
const sums = new Float64Array(COUNTERS);
const rates = new Float64Array(COUNTERS);

/** Rates of counters since the previous measurement. */
class CounterRates {
  private readonly last = new Float64Array(COUNTERS).fill(Number.NaN);
  private lastTime = Number.NaN;

  /** Writes the increase per second of each counter into `rates`; NaN if it is unknown or the counter was reset. */
  computeRates(points: Points, counters: ReadonlyMap<Metric, CounterOf>, time: number): void {
    sums.fill(Number.NaN);
    const { metrics, values, attributes, length } = points;
    for (let index = 0; index < length; index++) {
      const counter = counters.get(metrics[index]!)?.(attributes[index]);
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

  /** The ratio of two rates; NaN if the second is 0 or unknown. */
  static ratio(part: number, whole: number): number {
    return rates[whole]! > 0 ? rates[part]! / rates[whole]! : Number.NaN;
  }
}

const orNull = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

const milliseconds = ({ time }: MetricSet): number => Number(time / 1_000_000n);

/** The usage of one container: the latest measurement, and the last hour. */
export class ContainerUsage {
  readonly history: UsageHistory;
  latest: ContainerFigures;
  private readonly rates = new CounterRates();
  private readonly row = new Float64Array(containerMetrics.length);

  constructor(step: number) {
    this.history = new UsageHistory(containerMetrics.length, step);
    this.latest = NO_USAGE;
  }

  /** Whether a round has usage of a container. It has none while the container does not run. */
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
    const gauge = (metric: Metric) => orNull(points.firstValue(metric));
    this.latest = {
      time,
      cpu: gauge(catalogue.cpuUsage),
      cpuLimit: gauge(catalogue.cpuLimit),
      throttled: orNull(CounterRates.ratio(THROTTLED, PERIODS)),
      memory: gauge(catalogue.memoryWorkingSet),
      memoryLimit: gauge(catalogue.memoryLimit),
      receive: orNull(rates[RECEIVE]),
      transmit: orNull(rates[TRANSMIT]),
      read: orNull(rates[READ]),
      write: orNull(rates[WRITE]),
      pids: gauge(catalogue.pidsCount),
      pidsLimit: gauge(catalogue.pidsLimit),
    };
    containerMetrics.forEach((name, column) => {
      this.row[column] = this.latest[name] ?? Number.NaN;
    });
    this.history.add(time, this.row);
  }
}

/** The usage of the host: the latest measurement, and the last hour. */
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

const NO_USAGE: ContainerFigures = {
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
