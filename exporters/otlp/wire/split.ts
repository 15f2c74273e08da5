/**
 * Halves encoded requests. Those of all signals have one shape: resources, each with scopes, each with records (log
 * records, metrics, spans).
 * Source: https://github.com/open-telemetry/opentelemetry-proto (collector/…/v1)
 */

const RESOURCES = 1;
const SCOPES = 2;
const RECORDS = 2;
/** Of a resource and of a scope: what describes it. */
const DESCRIPTION = 1;
const LENGTH_DELIMITED = 2;

/** A field as it stands in its message, its tag included, and what is in it. */
interface Field {
  readonly number: number;
  readonly whole: Buffer;
  readonly content: Buffer;
}

function varint(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0, index = at; index < bytes.length && shift < 49; shift += 7) {
    const byte = bytes[index++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: index };
  }
  throw new RangeError('protobuf: bad varint');
}

/** @throws {RangeError} when a field is no length-delimited one, of which these messages consist, or is cut short */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = varint(bytes, at);
    const length = varint(bytes, tag.end);
    const end = length.end + length.value;
    if (tag.value % 8 !== LENGTH_DELIMITED || end > bytes.length)
      throw new RangeError('protobuf: not a request');
    fields.push({
      number: Math.floor(tag.value / 8),
      whole: bytes.subarray(at, end),
      content: bytes.subarray(length.end, end),
    });
    at = end;
  }
  return fields;
}

function encodeField(number: number, parts: readonly Buffer[]): Buffer {
  const head: number[] = [number * 8 + LENGTH_DELIMITED];
  let rest = parts.reduce((sum, { length }) => sum + length, 0);
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80);
  head.push(rest);
  return Buffer.concat([Buffer.from(head), ...parts]);
}

/** Number of records in a request. @throws {RangeError} when it is none */
export function countRecords(request: Buffer): number {
  let count = 0;
  for (const resource of fieldsOf(request))
    for (const scope of fieldsOf(resource.content))
      if (scope.number === SCOPES)
        for (const { number } of fieldsOf(scope.content)) if (number === RECORDS) count++;
  return count;
}

/** The first field and what stands behind it. @throws {RangeError} when there is no such field */
function first(bytes: Buffer, number: number): { content: Buffer; rest: Buffer } {
  const length = varint(bytes, 1);
  const end = length.end + length.value;
  if (bytes[0] !== number * 8 + LENGTH_DELIMITED || end > bytes.length)
    throw new RangeError('protobuf: not such a request');
  return { content: bytes.subarray(length.end, end), rest: bytes.subarray(end) };
}

/**
 * The records of a request that has one resource and one scope, each with its description before what it holds: encoded
 * fields, as they stand there.
 * @throws {RangeError} when it is no such request
 */
export function recordsOf(request: Buffer): Buffer {
  const scope = first(first(first(request, RESOURCES).content, DESCRIPTION).rest, SCOPES).content;
  return first(scope, DESCRIPTION).rest;
}

/** Each record of encoded fields, as it stands there. @throws {RangeError} when they are none */
export const eachOf = (records: Buffer): Buffer[] => fieldsOf(records).map(({ whole }) => whole);

/** A request of the records from the `from`th to before the `to`th. */
function part(request: Buffer, from: number, to: number): Buffer {
  let index = 0;
  const resources: Buffer[] = [];
  for (const resource of fieldsOf(request)) {
    const inside: Buffer[] = [];
    let taken = 0;
    for (const field of fieldsOf(resource.content)) {
      if (field.number !== SCOPES) {
        inside.push(field.whole);
        continue;
      }
      const kept: Buffer[] = [];
      let records = 0;
      for (const one of fieldsOf(field.content)) {
        if (one.number !== RECORDS) kept.push(one.whole);
        else {
          if (index >= from && index < to) {
            kept.push(one.whole);
            records++;
          }
          index++;
        }
      }
      if (records > 0) inside.push(encodeField(SCOPES, kept));
      taken += records;
    }
    if (taken > 0) resources.push(encodeField(RESOURCES, inside));
  }
  return Buffer.concat(resources);
}

/**
 * Two requests with half of the records each, in their order.
 * @returns undefined for a request of one record
 * @throws {RangeError} when it is no request
 */
export function halve(request: Buffer): readonly [Buffer, Buffer] | undefined {
  const count = countRecords(request);
  if (count < 2) return undefined;
  const middle = Math.ceil(count / 2);
  return [part(request, 0, middle), part(request, middle, count)];
}

/** A request of the resources that are wanted, by their number. @throws {RangeError} when it is no request */
export function resourcesOf(request: Buffer, isWanted: (index: number) => boolean): Buffer {
  const wanted = fieldsOf(request).filter((_, index) => isWanted(index));
  return Buffer.concat(wanted.map(({ whole }) => whole));
}
