/**
 * The types of a row in the metric catalogue. The catalogue describes every metric once: reading, naming,
 * exporting, documentation and validation derive from it.
 */
import type { Attributes, Metric, MetricKind } from '../records/records.ts';

/** Where a number is in a kernel file. */
export type ValueLocation =
  /** The file's only value. */
  | { readonly at: 'value' }
  /** `key value` on one line. */
  | { readonly at: 'key'; readonly key: string }
  /** The n-th of the values on the file's first line. */
  | { readonly at: 'position'; readonly position: number }
  /** `line … key=value …` */
  | { readonly at: 'pair'; readonly line: string; readonly key: string }
  /** 1 where the file's first line is `text`, else 0. */
  | { readonly at: 'text'; readonly text: string }
  /** How many numbers a list such as `0-3,7` has. */
  | { readonly at: 'list' };

/**
 * How often a field is read, if not in every round. `setting`: when the daemon reports a change of the
 * container, and now and then; `rare`: in every sixth round; `rules`: as often as rules need it, because only
 * rules use it; `active`: while the container's CPU time or memory usage change.
 */
export type Cadence = 'setting' | 'rare' | 'rules' | 'active';

/** A number in a cgroup's file. */
export interface Field {
  /** cgroup controller, which decides the hierarchy on cgroup v1; `unified` is cgroup v2's own files. */
  readonly controller: string;
  readonly file: string;
  readonly location: ValueLocation;
  /** Factor from the kernel's unit to the metric's. */
  readonly scale: number;
  /** Undefined for every round. */
  readonly cadence?: Cadence;
}

/** Computes a value from up to three fields. A missing field is NaN, and makes the result NaN. */
export type Compute = (first: number, second: number, third: number) => number;

/** One data point of a metric: a field, or a value computed from several fields. */
export interface Reading {
  readonly attributes?: Attributes;
  readonly fields: readonly Field[];
  /** The first field's value by default. */
  readonly compute?: Compute;
  /** Whether the point is the change per second since the previous round; absent in the first round. */
  readonly isRate?: boolean;
}

/** A data point for each line of a file: one per device, page size or resource. */
export interface TableReading {
  readonly controller: string;
  /** `*` stands for any text: the host has one file per page size. */
  readonly file: string;
  /**
   * `pairs`: `8:0 rbytes=1 wbytes=2`. `words`: `8:0 Read 1`. `keys`: `name 1`. `cpus`: one value per CPU on
   * the first line. `value`: the file's only value. `key`: the value of one key. The last two are labelled by
   * the text for `*`.
   */
  readonly format: 'pairs' | 'words' | 'keys' | 'cpus' | 'value' | 'key';
  /** The key of the pair, the word or the key. Unused by the other formats. */
  readonly column: string;
  /** What the label of a line means. It decides the attributes. */
  readonly label: 'device' | 'cpu' | 'page_size' | 'resource';
  readonly attributes?: Attributes;
  readonly scale: number;
}

/** A metric's name in another naming scheme, for existing dashboards. */
export interface DialectName {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  /** The attributes of the points that have this name; all points by default. */
  readonly when?: Attributes;
  readonly scale?: number;
  /** Maps a point's attributes to the dialect's; no attributes by default. */
  readonly attributes?: (attributes: Attributes) => Attributes;
}

export const groups = [
  'cpu',
  'memory',
  'pids',
  'disk',
  'network',
  'process',
  'pressure',
  'hugetlb',
  'rdma',
  'misc',
  'state',
  'log',
  'namespace',
  'filesystem',
  'daemon',
  'host',
] as const;
export type Group = (typeof groups)[number];

export interface CatalogueEntry extends Metric {
  readonly group: Group;
  /** Whether the metric is off by default, because it is expensive or rarely needed. */
  readonly optIn: boolean;
  readonly dialectOnly: boolean;
  /** Source of the value, for people. Rows of cgroup files have it in their readings. */
  readonly source?: string;
  readonly v1: readonly Reading[];
  readonly v2: readonly Reading[];
  readonly tables: readonly TableReading[];
  readonly dockerStats: readonly DialectName[];
  readonly cadvisor: readonly DialectName[];
}

interface Options {
  readonly optIn?: boolean;
  readonly dialectOnly?: boolean;
  readonly source?: string;
  readonly v1?: Reading | readonly Reading[];
  readonly v2?: Reading | readonly Reading[];
  readonly tables?: readonly TableReading[];
  readonly dockerStats?: readonly DialectName[];
  readonly cadvisor?: readonly DialectName[];
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T];

/** Units of metrics with fractional values. */
const FRACTIONAL = new Set(['s', '1', '{cpu}']);

export function row(
  group: Group,
  name: string,
  kind: MetricKind,
  unit: string,
  description: string,
  options: Options = {},
): CatalogueEntry {
  return {
    group,
    name,
    kind,
    unit,
    integer: !FRACTIONAL.has(unit),
    description,
    optIn: options.optIn ?? false,
    dialectOnly: options.dialectOnly ?? false,
    source: options.source,
    v1: list(options.v1),
    v2: list(options.v2),
    tables: options.tables ?? [],
    dockerStats: options.dockerStats ?? [],
    cadvisor: options.cadvisor ?? [],
  };
}

/** A file's only value. */
export const value = (controller: string, file: string, scale = 1): Field => ({
  controller,
  file,
  location: { at: 'value' },
  scale,
});

/** Marks a field that changes only with the container's settings: the daemon reports such changes. */
export const setting = (field: Field): Field => ({ ...field, cadence: 'setting' });

/** Marks a field that changes too rarely to be read in every round. */
export const rare = (field: Field): Field => ({ ...field, cadence: 'rare' });

/** Marks a field that changes only together with the container's CPU time or memory usage. */
export const active = (field: Field): Field => ({ ...field, cadence: 'active' });

/** A key of a flat-keyed file. */
export const key = (controller: string, file: string, name: string, scale = 1): Field => ({
  controller,
  file,
  location: { at: 'key', key: name },
  scale,
});

/** A reading of one field. */
export const fromField = (field: Field, attributes?: Attributes): Reading => ({
  fields: [field],
  attributes,
});

/** A reading computed from several fields, absent when one of them is. */
export const computed = (fields: readonly Field[], compute: Compute, attributes?: Attributes): Reading => ({
  fields,
  compute,
  attributes,
});

/** A name in the dialect of the Collector's docker_stats receiver. */
export const dockerName = (
  name: string,
  unit: string,
  kind: MetricKind = 'counter',
  more: Pick<DialectName, 'when' | 'scale' | 'attributes'> = {},
): DialectName => ({ name: `container.${name}`, unit, kind, ...more });

/** A name in cAdvisor's dialect. A name with `_total` is a counter by default, any other a gauge. */
export const cadvisorName = (
  name: string,
  more: Pick<DialectName, 'when' | 'scale' | 'attributes'> & { kind?: MetricKind } = {},
): DialectName => ({
  name,
  unit: '',
  kind: more.kind ?? (name.endsWith('_total') ? 'counter' : 'gauge'),
  ...more,
});

/** Factors to seconds. */
export const NANO = 1e-9;
export const MICRO = 1e-6;
/** USER_HZ: 100 on every Linux architecture that Node runs on. */
export const TICK = 1 / 100;
