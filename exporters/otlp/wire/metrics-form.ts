/**
 * Points → `Metric` messages (`metrics/v1/metrics.proto`). A container has the same points round after round, and the
 * same as other containers: only values and times differ, which stand in fields of fixed size. All else is
 * encoded once, as a form that each container's figures are written into.
 */
import type { Points } from '../../../collectors/records/points.ts';
import type { Attributes, Metric, Resource, UnixNano } from '../../../collectors/records/records.ts';
import { writeAttributes } from './encode-value.ts';
import { HALF, Writer } from './writer.ts';

/** AggregationTemporality. */
const TEMPORALITY = { delta: 1, cumulative: 2 };
export type Temporality = keyof typeof TEMPORALITY;

/** Where the figures of a NumberDataPoint stand behind its beginning: eight bytes each, behind a tag. */
const START_TIME = 1;
const TIME = START_TIME + 8 + 1;
const VALUE = TIME + 8 + 1;

const LOW = 0xffff_ffffn;

/** A NumberDataPoint without its figures. @returns where it begins */
function dataPoint(writer: Writer, integer: boolean, labels: Attributes | undefined): number {
  const mark = writer.openMessage(1);
  writer.fixed64(2, 0n);
  writer.fixed64(3, 0n);
  // An sfixed64, which is as long.
  if (integer) writer.fixed64(6, 0n);
  else writer.double(4, 0);
  if (labels !== undefined) writeAttributes(writer, 7, labels);
  return mark + 1 + writer.closeMessage(mark);
}

/** Most collectors give one object for equal attributes. */
function isEqual(one: Attributes | undefined, other: Attributes | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

export class MetricsTemplate {
  /** Number of data points. */
  readonly count: number;
  private readonly metrics: readonly Metric[];
  private readonly labels: readonly (Attributes | undefined)[];
  private readonly bytes: Buffer;
  private readonly view: DataView;
  /** Of each data point, its index among the points, and where it begins. */
  private readonly indices: readonly number[];
  private readonly places: readonly number[];
  /** What is written in it. */
  private time: UnixNano = 0n;

  constructor({ metrics, attributes: labels, length }: Points, temporality: Temporality) {
    const writer = new Writer();
    const indices: number[] = [];
    const places: number[] = [];
    for (let index = 0; index < length; ) {
      const described = metrics[index]!;
      if (described.dialectOnly) {
        index++;
        continue;
      }
      const first = places.length;
      const mark = writer.openMessage(2);
      writer.string(1, described.name);
      writer.string(2, described.description);
      writer.string(3, described.unit);
      const data = writer.openMessage(described.kind === 'gauge' ? 5 : 7);
      for (; index < length && metrics[index] === described; index++) {
        indices.push(index);
        places.push(dataPoint(writer, described.integer, labels[index]));
      }
      if (described.kind !== 'gauge') {
        const isCounter = described.kind === 'counter';
        writer.uint(2, TEMPORALITY[isCounter ? temporality : 'cumulative']);
        if (isCounter) writer.uint(3, 1);
      }
      const moved = writer.closeMessage(data) + writer.closeMessage(mark);
      for (let at = first; at < places.length; at++) places[at]! += moved;
    }
    this.metrics = metrics.slice(0, length);
    this.labels = labels.slice(0, length);
    this.indices = indices;
    this.places = places;
    this.count = places.length;
    this.bytes = writer.copyBytes();
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Whether it is of such points. */
  fits({ metrics, attributes: labels, length }: Points): boolean {
    if (length !== this.metrics.length) return false;
    for (let index = 0; index < length; index++)
      if (metrics[index] !== this.metrics[index] || !isEqual(labels[index], this.labels[index])) return false;
    return true;
  }

  /** @returns `metrics` fields; valid until the next call */
  filled({ values }: Points, startTime: UnixNano, time: UnixNano): Buffer {
    const { view, metrics, indices, places } = this;
    if (time !== this.time) for (const place of places) view.setBigUint64(place + TIME, time, true);
    this.time = time;
    // A number is written in a fifth of the time that a BigInt takes.
    const [startLow, startHigh] = [Number(startTime & LOW), Number(startTime >> 32n)];
    for (let at = 0; at < places.length; at++) {
      const index = indices[at]!;
      const value = values[index]!;
      const place = places[at]!;
      view.setUint32(place + START_TIME, startLow, true);
      view.setUint32(place + START_TIME + 4, startHigh, true);
      if (metrics[index]!.integer) {
        const high = Math.floor(value / HALF);
        view.setUint32(place + VALUE, value - high * HALF, true);
        view.setInt32(place + VALUE + 4, high, true);
      } else view.setFloat64(place + VALUE, value, true);
    }
    return this.bytes;
  }
}

/** Forms that are kept for containers that are set up alike to have in common. */
const MAX_FORMS = 64;

/** The forms of one temporality. */
export class MetricsTemplates {
  private readonly temporality: Temporality;
  /** The newest comes last. */
  private readonly forms: MetricsTemplate[] = [];
  /** What a resource had in its last round. */
  private readonly last = new WeakMap<Resource, MetricsTemplate>();

  constructor(temporality: Temporality) {
    this.temporality = temporality;
  }

  of(resource: Resource, points: Points): MetricsTemplate {
    const last = this.last.get(resource);
    if (last?.fits(points)) return last;
    const form = this.forms.find((each) => each.fits(points)) ?? this.made(points);
    this.last.set(resource, form);
    return form;
  }

  private made(points: Points): MetricsTemplate {
    const form = new MetricsTemplate(points, this.temporality);
    if (this.forms.length === MAX_FORMS) this.forms.shift();
    this.forms.push(form);
    return form;
  }
}
