/**
 * Points → `Metric` messages (`metrics/v1/metrics.proto`). A container has the same points in every round,
 * and most containers have the same points as others. Only values and times differ, and protobuf encodes
 * these in fields of fixed size. Everything else is encoded once, as a template, and each round writes its
 * values and times into it.
 */
import type { Points } from '../../../collectors/records/points.ts';
import type { Attributes, Metric, Resource, UnixNano } from '../../../collectors/records/records.ts';
import { writeAttributes } from './encode-value.ts';
import { FIELDS } from './fields.ts';
import { HALF, Writer } from './writer.ts';

const { NumberDataPoint } = FIELDS;

/** AggregationTemporality. */
const TEMPORALITY = { delta: 1, cumulative: 2 };
export type Temporality = keyof typeof TEMPORALITY;

/** Offsets of the values in a NumberDataPoint: eight bytes each, after a tag of one byte. */
const START_TIME = 1;
const TIME = START_TIME + 8 + 1;
const VALUE = TIME + 8 + 1;

const LOW = 0xffff_ffffn;

/** Writes a NumberDataPoint whose times and value are 0. @returns its offset */
function writeDataPoint(writer: Writer, integer: boolean, labels: Attributes | undefined): number {
  const mark = writer.openMessage(FIELDS.Sum.dataPoints);
  writer.fixed64(NumberDataPoint.startTimeUnixNano, 0n);
  writer.fixed64(NumberDataPoint.timeUnixNano, 0n);
  // asInt is an sfixed64, which has the same size.
  if (integer) writer.fixed64(NumberDataPoint.asInt, 0n);
  else writer.double(NumberDataPoint.asDouble, 0);
  if (labels !== undefined) writeAttributes(writer, NumberDataPoint.attributes, labels);
  return mark + 1 + writer.closeMessage(mark);
}

/** Most collectors use the same object for equal attributes, so the first comparison usually decides. */
function isEqual(one: Attributes | undefined, other: Attributes | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

class MetricsTemplate {
  /** Number of data points. */
  readonly count: number;
  private readonly metrics: readonly Metric[];
  private readonly labels: readonly (Attributes | undefined)[];
  private readonly bytes: Buffer;
  private readonly view: DataView;
  /** The index of each data point among the points. */
  private readonly indices: readonly number[];
  /** The offset of each data point in the template. */
  private readonly offsets: readonly number[];
  /** The time that the template holds. */
  private time: UnixNano = 0n;

  constructor({ metrics, attributes: labels, length }: Points, temporality: Temporality) {
    const writer = new Writer();
    const indices: number[] = [];
    const offsets: number[] = [];
    for (let index = 0; index < length; ) {
      const metric = metrics[index]!;
      if (metric.dialectOnly) {
        index++;
        continue;
      }
      const first = offsets.length;
      const mark = writer.openMessage(FIELDS.ScopeGroup.records);
      writer.string(FIELDS.Metric.name, metric.name);
      writer.string(FIELDS.Metric.description, metric.description);
      writer.string(FIELDS.Metric.unit, metric.unit);
      const data = writer.openMessage(metric.kind === 'gauge' ? FIELDS.Metric.gauge : FIELDS.Metric.sum);
      for (; index < length && metrics[index] === metric; index++) {
        indices.push(index);
        offsets.push(writeDataPoint(writer, metric.integer, labels[index]));
      }
      if (metric.kind !== 'gauge') {
        const isCounter = metric.kind === 'counter';
        writer.uint(FIELDS.Sum.aggregationTemporality, TEMPORALITY[isCounter ? temporality : 'cumulative']);
        if (isCounter) writer.uint(FIELDS.Sum.isMonotonic, 1);
      }
      const moved = writer.closeMessage(data) + writer.closeMessage(mark);
      for (let at = first; at < offsets.length; at++) offsets[at]! += moved;
    }
    this.metrics = metrics.slice(0, length);
    this.labels = labels.slice(0, length);
    this.indices = indices;
    this.offsets = offsets;
    this.count = offsets.length;
    this.bytes = writer.copyBytes();
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /**
   * Whether the template is for points like these: the same metrics with the same attributes, in the same
   * order.
   */
  matches({ metrics, attributes: labels, length }: Points): boolean {
    if (length !== this.metrics.length) return false;
    for (let index = 0; index < length; index++)
      if (metrics[index] !== this.metrics[index] || !isEqual(labels[index], this.labels[index])) return false;
    return true;
  }

  /** Writes values and times into the template. @returns `metrics` fields, valid until the next call */
  fill({ values }: Points, startTime: UnixNano, time: UnixNano): Buffer {
    const { view, metrics, indices, offsets } = this;
    if (time !== this.time) for (const offset of offsets) view.setBigUint64(offset + TIME, time, true);
    this.time = time;
    // Writing two numbers takes a fifth of the time of writing one BigInt.
    const [startLow, startHigh] = [Number(startTime & LOW), Number(startTime >> 32n)];
    for (let at = 0; at < offsets.length; at++) {
      const index = indices[at]!;
      const value = values[index]!;
      const offset = offsets[at]!;
      view.setUint32(offset + START_TIME, startLow, true);
      view.setUint32(offset + START_TIME + 4, startHigh, true);
      if (metrics[index]!.integer) {
        const high = Math.floor(value / HALF);
        view.setUint32(offset + VALUE, value - high * HALF, true);
        view.setInt32(offset + VALUE + 4, high, true);
      } else view.setFloat64(offset + VALUE, value, true);
    }
    return this.bytes;
  }
}

/** Templates that are kept. Containers of one kind share one. */
const MAX_TEMPLATES = 64;

/** The templates of one temporality. */
export class MetricsTemplates {
  private readonly temporality: Temporality;
  /** The newest is the last. */
  private readonly templates: MetricsTemplate[] = [];
  /** The template that each resource used in its last round. */
  private readonly last = new WeakMap<Resource, MetricsTemplate>();

  constructor(temporality: Temporality) {
    this.temporality = temporality;
  }

  templateFor(resource: Resource, points: Points): MetricsTemplate {
    const last = this.last.get(resource);
    if (last?.matches(points)) return last;
    const template = this.templates.find((each) => each.matches(points)) ?? this.add(points);
    this.last.set(resource, template);
    return template;
  }

  private add(points: Points): MetricsTemplate {
    const template = new MetricsTemplate(points, this.temporality);
    if (this.templates.length === MAX_TEMPLATES) this.templates.shift();
    this.templates.push(template);
    return template;
  }
}
