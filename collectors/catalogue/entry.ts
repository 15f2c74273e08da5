/**
 * What a row of the metric catalogue can say. The catalogue describes every metric once; whatever reads,
 * names, exports, documents or validates a metric derives from it.
 */
import type { Attributes, Metric, MetricKind } from '../records/records.ts';

/** How a number stands in a kernel file. */
export type ValueLocation =
  /** The file's only value. */
  | { readonly at: 'value' }
  /** `key value` on a line of its own. */
  | { readonly at: 'key'; readonly key: string }
  /** The n-th of the values on the file's first line. */
  | { readonly at: 'position'; readonly position: number }
  /** `line … key=value …` */
  | { readonly at: 'pair'; readonly line: string; readonly key: string }
  /** 1 where the file's text begins with `text`, else 0. */
  | { readonly at: 'text'; readonly text: string }
  /** How many numbers a list such as `0-3,7` has. */
  | { readonly at: 'list' };

export type Cadence = 'setting' | 'rare' | 'rules' | 'active';

/** A number in a cgroup's file. */
export interface Field {
  /** cgroup controller, which decides the hierarchy on cgroup v1; `unified` is cgroup v2's own files. */
  readonly controller: string;
  readonly file: string;
  readonly location: ValueLocation;
  /** Factor from the kernel's unit to the metric's. */
  readonly scale: number;
  /**
   * What need not be read every round. `setting`: the daemon tells when it is changed; `rare`: moves rarely; `seldom`:
   * only rules look at it; `active`: moves only while the container's CPU time or memory usage do.
   */
  readonly cadence?: Cadence;
}

/** From up to three fields' values. NaN, which a missing field is, makes it NaN as arithmetic does. */
export type Compute = (first: number, second: number, third: number) => number;

/** One data point of a metric: a field, or what is computed from several. */
export interface Reading {
  readonly attributes?: Attributes;
  readonly fields: readonly Field[];
  /** From the fields' values, all of them present; the first field's value by default. */
  readonly compute?: Compute;
  /** Whether the point is the change per second since the last round; absent in the first. */
  readonly isRate?: boolean;
}

/** As many data points as a file has lines for: one a device, a page size, a resource. */
export interface TableReading {
  readonly controller: string;
  /** `*` stands for whatever the host has there: one file a page size. */
  readonly file: string;
  /**
   * `pairs`: `8:0 rbytes=1 wbytes=2`; `words`: `8:0 Read 1`; `keys`: `name 1`; `cpus`: one value a CPU on
   * the first line; `value`: the file's only value, and `key`: that of one key, both labelled by what `*`
   * stands for.
   */
  readonly format: 'pairs' | 'words' | 'keys' | 'cpus' | 'value' | 'key';
  /** The pair's key, the word or the key; unused by the other formats. */
  readonly column: string;
  /** What the line's label is: its attributes by label. */
  readonly label: 'device' | 'cpu' | 'page_size' | 'resource';
  readonly attributes?: Attributes;
  readonly scale: number;
}

/** A metric's name in a dialect that people's dashboards use already. */
export interface DialectName {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  /** Which of the metric's points: those with these attributes; all by default. */
  readonly when?: Attributes;
  readonly scale?: number;
  /** The dialect's attributes from the point's; none by default. */
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
  /** Off unless asked for, for what it costs or how rarely it is wanted. */
  readonly optIn: boolean;
  readonly dialectOnly: boolean;
  /** Where the value comes from, for people; cgroup rows say it by their readings. */
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

/** Units whose values are fractions. */
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

/** A field that changes when somebody changes the container, of which the daemon tells. */
export const setting = (field: Field): Field => ({ ...field, cadence: 'setting' });

/** A field that moves so rarely that it need not be read every round. */
export const rare = (field: Field): Field => ({ ...field, cadence: 'rare' });

/** A field that stays as it is while nothing of the container runs and it holds as much memory as before. */
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

/** A reading that is computed from several fields, absent when any of them is. */
export const computed = (fields: readonly Field[], compute: Compute, attributes?: Attributes): Reading => ({
  fields,
  compute,
  attributes,
});

/** A name in the docker_stats receiver's dialect: counters are monotonic sums, the rest as given. */
export const dockerName = (
  name: string,
  unit: string,
  kind: MetricKind = 'counter',
  more: Pick<DialectName, 'when' | 'scale' | 'attributes'> = {},
): DialectName => ({ name: `container.${name}`, unit, kind, ...more });

/** A name in cAdvisor's dialect; `_total` makes a counter. */
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
