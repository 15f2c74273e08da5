/** What a bench is, and what it gives. */
import type { PeerSearch } from './peers/peer.ts';

/** What a figure is to be. */
export interface Target {
  readonly most?: number;
  readonly least?: number;
  /** How many times better than each of those that it is compared with. */
  readonly times?: Readonly<Record<string, number>>;
}

/** One line of a bench's table. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  /** '' for a number of things. */
  readonly unit: string;
  /** The same of what a user would run otherwise, measured in the same run, by name. */
  readonly beside?: Readonly<Record<string, number>>;
  readonly moreIsBetter?: boolean;
  readonly target?: Target;
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
  /** Along y by powers of ten, from 1. */
  readonly logarithmic?: boolean;
}

export interface Findings {
  readonly rows: readonly Measured[];
  readonly plot?: Plot;
}

/** What benches are given. */
export interface Setting {
  /** The built command line. */
  readonly cli: string;
  /** Programs of others, by the name of the peer. */
  readonly peers: Readonly<Record<string, PeerSearch>>;
  /** Where the profiles of what is measured go; undefined where none are kept. */
  readonly profiles: string | undefined;
  /** How long the soak takes. */
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export interface Bench {
  readonly title: string;
  /** What is measured, how, and beside what: prose for docs/performance.md. */
  readonly about: string;
  /** Whether peers are run: what is not found of them is told. */
  readonly runsPeers?: boolean;
  run(setting: Setting): Promise<Findings>;
}

/** The value below which that part of the values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** How many times better than the other value. */
export const advantage = ({ value, moreIsBetter }: Measured, other: number): number =>
  moreIsBetter ? value / other : other / value;

/** What a target asks for that the figure is not, in words; empty where it is met. */
export function missed(measured: Measured): string[] {
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
