/**
 * Takes encoded requests apart without decoding records. Requests of all signals have one shape: resources,
 * each with scopes, each with records (log records, metrics or spans).
 */
import { FIELDS } from './fields.ts';
import { ProtobufReader, WIRE_TYPE } from './reader.ts';
import { Writer } from './writer.ts';

const { Request, ResourceGroup, ScopeGroup } = FIELDS;
/** What a writer keeps free for a tag and a length. */
const HEADER_BYTES = 10;

/** One field of a message. */
interface LengthDelimitedField {
  readonly number: number;
  /** The field as it is in the message, including its tag. */
  readonly bytes: Buffer;
  /** The value. */
  readonly content: Buffer;
}

/** Moves to the next field. @throws {RangeError} when the field is not length-delimited */
function nextField(reader: ProtobufReader): boolean {
  const isThere = reader.next();
  if (isThere && reader.wireType !== WIRE_TYPE.lengthDelimited)
    throw new RangeError('protobuf: not a request');
  return isThere;
}

/**
 * @throws {RangeError} when the bytes are cut short or have a field that is not length-delimited: no request
 * has one
 */
function readFields(bytes: Buffer): LengthDelimitedField[] {
  const fields: LengthDelimitedField[] = [];
  const reader = new ProtobufReader(bytes);
  while (nextField(reader))
    fields.push({ number: reader.field, bytes: reader.fieldBytes, content: reader.valueBytes });
  return fields;
}

function encodeField(number: number, parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const writer = new Writer(size + HEADER_BYTES);
  writer.header(number, size);
  for (const part of parts) writer.raw(part);
  return writer.bytes();
}

/** Number of records in a request. @throws {RangeError} when the bytes are not a request */
export function countRecords(request: Buffer): number {
  let count = 0;
  const resources = new ProtobufReader(request);
  while (nextField(resources)) {
    const groups = resources.nested();
    while (nextField(groups)) {
      if (groups.field !== ResourceGroup.scopes) continue;
      const scope = groups.nested();
      while (nextField(scope)) if (scope.field === ScopeGroup.records) count++;
    }
  }
  return count;
}

/** Whether a ScopeLogs, ScopeMetrics or ScopeSpans has a scope of this name. */
function hasScopeName(group: ProtobufReader, name: Buffer): boolean {
  while (nextField(group)) {
    if (group.field !== ScopeGroup.scope) continue;
    const scope = group.nested();
    while (scope.next())
      if (scope.field === FIELDS.InstrumentationScope.name) return scope.valueBytes.equals(name);
    return false;
  }
  return false;
}

/**
 * Whether all records of a request belong to the scope of this name. Decodes no record. Never throws: false when the
 * bytes are not a request.
 */
export function hasOnlyScope(request: Buffer, name: string): boolean {
  const expected = Buffer.from(name);
  try {
    const resources = new ProtobufReader(request);
    while (nextField(resources)) {
      const groups = resources.nested();
      while (nextField(groups))
        if (groups.field === ResourceGroup.scopes && !hasScopeName(groups.nested(), expected)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads the first field and the bytes after it.
 * @throws {RangeError} when the first field has another number
 */
function readFirst(bytes: Buffer, number: number): { content: Buffer; rest: Buffer } {
  const reader = new ProtobufReader(bytes);
  if (!nextField(reader) || reader.field !== number) throw new RangeError('protobuf: not such a request');
  return { content: reader.valueBytes, rest: bytes.subarray(reader.valueEnd) };
}

/**
 * The encoded records of a request that has one resource and one scope, in the order in which `encodeRequest`
 * writes them: resource, scope, records.
 * @throws {RangeError} when the bytes are not such a request
 */
export function extractRecords(request: Buffer): Buffer {
  const group = readFirst(request, Request.resources).content;
  const scopes = readFirst(readFirst(group, ResourceGroup.resource).rest, ResourceGroup.scopes).content;
  return readFirst(scopes, ScopeGroup.scope).rest;
}

/**
 * Splits encoded records into one buffer each.
 * @throws {RangeError} when the bytes are not encoded records
 */
export const splitRecords = (records: Buffer): Buffer[] => readFields(records).map(({ bytes }) => bytes);

/** A request of the records from index `from` to before index `to`. */
function slice(request: Buffer, from: number, to: number): Buffer {
  let index = 0;
  const resources: Buffer[] = [];
  for (const resource of readFields(request)) {
    const parts: Buffer[] = [];
    let hasRecords = false;
    for (const field of readFields(resource.content)) {
      if (field.number !== ResourceGroup.scopes) {
        parts.push(field.bytes);
        continue;
      }
      const scopeParts: Buffer[] = [];
      let scopeHasRecords = false;
      for (const { number, bytes } of readFields(field.content)) {
        if (number !== ScopeGroup.records) scopeParts.push(bytes);
        else {
          if (index >= from && index < to) {
            scopeParts.push(bytes);
            scopeHasRecords = true;
          }
          index++;
        }
      }
      if (!scopeHasRecords) continue;
      parts.push(encodeField(ResourceGroup.scopes, scopeParts));
      hasRecords = true;
    }
    if (hasRecords) resources.push(encodeField(Request.resources, parts));
  }
  return Buffer.concat(resources);
}

/**
 * Splits a request into two with half of the records each, in their order.
 * @returns undefined when the request has fewer than two records
 * @throws {RangeError} when the bytes are not a request
 */
export function halve(request: Buffer): readonly [Buffer, Buffer] | undefined {
  const count = countRecords(request);
  if (count < 2) return undefined;
  const middle = Math.ceil(count / 2);
  return [slice(request, 0, middle), slice(request, middle, count)];
}

/**
 * A request of some of another's resources.
 * @param isWanted decides by a resource's index in the request
 * @throws {RangeError} when the bytes are not a request
 */
export function selectResources(request: Buffer, isWanted: (index: number) => boolean): Buffer {
  const wanted = readFields(request).filter((_, index) => isWanted(index));
  return Buffer.concat(wanted.map(({ bytes }) => bytes));
}
