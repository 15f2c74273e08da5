/** Reuses writers that have grown. A thousand containers with a writer each would keep the memory of a thousand batches. */
import { Writer } from '../../exporters/otlp/wire/writer.ts';

const writers: Writer[] = [];
const MAX_WRITERS = 16;

export const borrowWriter = (): Writer => writers.pop() ?? new Writer(1024);

export function returnWriter(writer: Writer): void {
  writer.reset();
  if (writers.length < MAX_WRITERS) writers.push(writer);
}
