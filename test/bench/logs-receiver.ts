/** An OTLP receiver that counts log records and keeps none: `GET /count` tells how many, `GET /latency` how old they were. */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { decodeLogs } from '../../agent/otlp/decode.ts';

let records = 0;
/** Milliseconds from the daemon's time of a record to its arrival, where that is asked for. */
const ages: number[] = [];
const measuresAge = process.argv[2] === 'latency';

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify(request.url === '/latency' ? ages : records));
    return;
  }
  const bytes = await buffer(request);
  const now = Date.now();
  response.setHeader('content-type', 'application/x-protobuf').end();
  if (request.url !== '/v1/logs') return;
  if (!measuresAge) {
    records += countOf(bytes);
    return;
  }
  for (const { scopeLogs } of decodeLogs(bytes).resourceLogs ?? []) {
    for (const { scope, logRecords } of scopeLogs ?? []) {
      if (scope?.name !== 'portlight.logs') continue;
      records += logRecords?.length ?? 0;
      for (const { observedTimeUnixNano } of logRecords ?? [])
        ages.push(now - Number(BigInt(observedTimeUnixNano!) / 1_000_000n));
    }
  }
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));

/** Log records of a request, by its structure alone: resource_logs (1) → scope_logs (2) → log_records (2). */
function countOf(bytes: Buffer): number {
  let count = 0;
  for (const resource of fields(bytes, 0, bytes.length, 1))
    for (const scope of fields(bytes, resource[0], resource[1], 2))
      for (const _ of fields(bytes, scope[0], scope[1], 2)) count++;
  return count;
}

/** The bounds of a message's fields of one number, all of which are length-delimited. */
function* fields(bytes: Buffer, from: number, end: number, wanted: number): Generator<[number, number]> {
  let at = from;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < end) {
    const number = varint() >> 3;
    const size = varint();
    if (number === wanted) yield [at, at + size];
    at += size;
  }
}
