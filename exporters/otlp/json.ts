/** OTLP protobuf as OTLP/JSON, made when it is sent: records are encoded once, whatever the protocol. */

import type { Signal } from '../../config/destinations.ts';
import { decodeLogs, decodeMetrics, decodeTraces } from './wire/decode.ts';

const decoders: Readonly<Record<Signal, (request: Uint8Array) => unknown>> = {
  logs: decodeLogs,
  metrics: decodeMetrics,
  traces: decodeTraces,
};

export const requestToJson = (signal: Signal, request: Uint8Array): Buffer =>
  Buffer.from(JSON.stringify(decoders[signal](request)));
