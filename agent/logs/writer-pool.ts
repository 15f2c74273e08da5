/**
 * Writers that have grown, for whoever has lines next: a thousand containers that kept their own would keep as many
 * batches' room.
 */
import { Writer } from '../../exporters/otlp/wire/writer.ts';

const writers: Writer[] = [];
const MAX_WRITERS = 16;

export const borrowWriter = (): Writer => writers.pop() ?? new Writer(1024);

export function returnWriter(writer: Writer): void {
  writer.reset();
  if (writers.length < MAX_WRITERS) writers.push(writer);
}
