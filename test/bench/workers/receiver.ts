/**
 * An OTLP/HTTP receiver that only counts. `GET /` returns log records, requests and the time of the first one, by signal;
 * `GET /ages` the age of log records on arrival, ms, if the first argument is `ages`; `GET /records/<number>` responds once
 * that many log records have arrived.
 */
import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { decodeLogs } from '../../../exporters/otlp/wire/decode.ts';
import { countRecords } from '../../../exporters/otlp/wire/split.ts';

export interface Counts {
  records: number;
  requests: Record<string, number>;
  /** ms since the epoch. */
  first: Record<string, number>;
}

const counts: Counts = { records: 0, requests: {}, first: {} };
const ages: number[] = [];
const measuresAges = process.argv[2] === 'ages';
let waiting: { readonly records: number; readonly response: ServerResponse }[] = [];

function answer(): void {
  for (const { records, response } of waiting) if (records <= counts.records) response.end();
  waiting = waiting.filter(({ records }) => records > counts.records);
}

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    const [, records] = /^\/records\/(\d+)$/.exec(request.url!) ?? [];
    if (records === undefined) response.end(JSON.stringify(request.url === '/ages' ? ages : counts));
    else waiting.push({ records: Number(records), response });
    answer();
    return;
  }
  const sent = await buffer(request);
  const now = Date.now();
  const signal = request.url!.replace('/v1/', '');
  counts.requests[signal] = (counts.requests[signal] ?? 0) + 1;
  counts.first[signal] ??= now;
  response.setHeader('content-type', 'application/x-protobuf').end();
  if (signal !== 'logs') return;
  const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  counts.records += countRecords(bytes);
  answer();
  if (!measuresAges) return;
  for (const { scopeLogs } of decodeLogs(bytes).resourceLogs ?? [])
    for (const { scope, logRecords } of scopeLogs ?? [])
      for (const { observedTimeUnixNano } of scope?.name === 'portlight.logs' ? (logRecords ?? []) : [])
        ages.push(now - Number(BigInt(observedTimeUnixNano!) / 1_000_000n));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
