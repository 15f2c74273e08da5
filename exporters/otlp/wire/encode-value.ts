/** Attributes → `common/v1/common.proto`. */
import type { Attributes, AttributeValue } from '../../../collectors/records/records.ts';
import type { Writer } from './writer.ts';

export function anyValue(writer: Writer, field: number, value: AttributeValue): void {
  const mark = writer.begin(field);
  if (typeof value === 'string') writer.string(1, value);
  else if (typeof value === 'boolean') writer.uint(2, value ? 1 : 0);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.int(3, value);
    else writer.double(4, value);
  } else {
    const list = writer.begin(5);
    for (const item of value) anyValue(writer, 1, item);
    writer.end(list);
  }
  writer.end(mark);
}

export function keyValue(writer: Writer, field: number, key: string, value: AttributeValue): void {
  const mark = writer.begin(field);
  writer.string(1, key);
  anyValue(writer, 2, value);
  writer.end(mark);
}

export function attributes(writer: Writer, field: number, values: Attributes): void {
  for (const key in values) keyValue(writer, field, key, values[key]!);
}
