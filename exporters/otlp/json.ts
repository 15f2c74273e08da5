import type { Signal } from '../../config/destinations.ts';
import { decodeLogs, decodeMetrics, decodeTraces } from './wire/decode.ts';

const decoders: Readonly<Record<Signal, (request: Uint8Array) => unknown>> = {
  logs: decodeLogs,
  metrics: decodeMetrics,
  traces: decodeTraces,
};

/**
 * Converts a request to OTLP/JSON when it is sent: records are encoded once, as protobuf, for all protocols.
 */
export const requestToJson = (signal: Signal, request: Uint8Array): Buffer =>
  Buffer.from(JSON.stringify(decoders[signal](request)));
