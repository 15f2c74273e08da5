/** The contract of a bench, and arithmetic on its figures. */
import type { PeerSearch } from './peers/peer.ts';

/** The target of a figure. */
export interface FigureTarget {
  readonly most?: number;
  readonly least?: number;
  /** Factor by which the figure must be better than each peer's, by peer. */
  readonly times?: Readonly<Record<string, number>>;
}

/** One line of a bench's table. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  /** '' for a count. */
  readonly unit: string;
  /** The same figure of each peer, measured in the same run. */
  readonly beside?: Readonly<Record<string, number>>;
  readonly moreIsBetter?: boolean;
  readonly target?: FigureTarget;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly curves: readonly Curve[];
  /** Whether the y axis is logarithmic, from 1. */
  readonly logarithmic?: boolean;
}

export interface Findings {
  readonly rows: readonly Figure[];
  readonly plot?: Plot;
}

/** The input of a bench. */
export interface BenchInput {
  /** Path of the built command line. */
  readonly cli: string;
  /** Programs of peers, by the peer's name. */
  readonly peers: Readonly<Record<string, PeerSearch>>;
  /** Directory for profiles; undefined without profiling. */
  readonly profiles: string | undefined;
  /** Duration of the soak. */
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export interface Bench {
  readonly title: string;
  /** What is measured, how, and compared with what: text of docs/performance.md. */
  readonly about: string;
  /** Whether peers take part: the page then lists their versions, and which are missing. */
  readonly runsPeers?: boolean;
  run(setting: BenchInput): Promise<Findings>;
}

/** The quantile of values. @param part 0.5 for the median */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** Factor by which a figure is better than another value. */
export const advantage = ({ value, moreIsBetter }: Figure, other: number): number =>
  moreIsBetter ? value / other : other / value;

/** How far a figure misses its target, one text for each part; empty where the target is met. */
export function missed(measured: Figure): string[] {
  const { value, target = {}, beside = {} } = measured;
  const by = (ratio: number) => `${Math.ceil((ratio - 1) * 100)} %`;
  return [
    ...(target.most !== undefined && value > target.most ? [`over by ${by(value / target.most)}`] : []),
    ...(target.least !== undefined && value < target.least ? [`short by ${by(target.least / value)}`] : []),
    ...Object.entries(target.times ?? {}).flatMap(([name, times]) => {
      const other = beside[name];
      if (other === undefined) return [];
      const has = advantage(measured, other);
      return has < times ? [`short of ${times} × ${name} by ${by(times / has)}`] : [];
    }),
  ];
}
