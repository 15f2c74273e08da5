/** Attributes → `common/v1/common.proto`. */
import type { Attributes, AttributeValue } from '../../../collectors/records/records.ts';
import { FIELDS } from './fields.ts';
import type { Writer } from './writer.ts';

const ANY = FIELDS.AnyValue;

export function writeAnyValue(writer: Writer, field: number, value: AttributeValue): void {
  const mark = writer.openMessage(field);
  if (typeof value === 'string') writer.string(ANY.stringValue, value);
  else if (typeof value === 'boolean') writer.uint(ANY.boolValue, value ? 1 : 0);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.int(ANY.intValue, value);
    else writer.double(ANY.doubleValue, value);
  } else {
    const list = writer.openMessage(ANY.arrayValue);
    for (const item of value) writeAnyValue(writer, FIELDS.List.values, item);
    writer.closeMessage(list);
  }
  writer.closeMessage(mark);
}

export function writeKeyValue(writer: Writer, field: number, key: string, value: AttributeValue): void {
  const mark = writer.openMessage(field);
  writer.string(FIELDS.KeyValue.key, key);
  writeAnyValue(writer, FIELDS.KeyValue.value, value);
  writer.closeMessage(mark);
}

export function writeAttributes(writer: Writer, field: number, values: Attributes): void {
  for (const key in values) writeKeyValue(writer, field, key, values[key]!);
}
