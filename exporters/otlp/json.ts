/** OTLP protobuf as OTLP/JSON, made when it is sent: records are encoded once, whatever the protocol. */
import { decodeLogs, decodeMetrics, decodeTraces } from '../../agent/otlp/decode.ts';
import type { Signal } from '../../config/destinations.ts';

const decoders: Readonly<Record<Signal, (request: Uint8Array) => unknown>> = {
  logs: decodeLogs,
  metrics: decodeMetrics,
  traces: decodeTraces,
};

export const toJson = (signal: Signal, request: Uint8Array): Buffer =>
  Buffer.from(JSON.stringify(decoders[signal](request)));
