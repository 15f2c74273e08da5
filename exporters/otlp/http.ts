/** OTLP over HTTP. */

import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { SignalEndpoint } from '../../config/destinations.ts';
import { type Answer, failureOf, posterOf } from '../sending/post.ts';
import { accepted, away, type Transport, type Verdict } from '../sending/verdict.ts';
import { toJson } from './json.ts';
import { decodeResponse, type PartialSuccess } from './wire/decode.ts';

const compress = promisify(gzip);

interface JsonAnswer {
  partialSuccess?: Record<string, string | number>;
}

function partialSuccessOf({ isJson, body }: Answer): PartialSuccess {
  if (body.length === 0) return { rejected: 0, message: '' };
  if (!isJson) return decodeResponse(body);
  const { errorMessage = '', ...rejected } =
    (JSON.parse(body.toString('utf8')) as JsonAnswer).partialSuccess ?? {};
  return { rejected: Number(Object.values(rejected)[0] ?? 0), message: String(errorMessage) };
}

function verdictOn(answer: Answer): Verdict {
  const failure = failureOf(answer);
  if (failure !== undefined) return failure;
  try {
    return accepted(partialSuccessOf(answer));
  } catch {
    // It was taken; whatever else was to be said of it cannot be read.
    return accepted({ rejected: 0, message: '' });
  }
}

/** @throws {Error} when a file of the target cannot be read */
export function httpTransport(target: SignalEndpoint): Transport {
  const { protocol, signal, compression } = target;
  const poster = posterOf(target);
  const isJson = protocol === 'http/json';
  const headers = {
    'content-type': isJson ? 'application/json' : 'application/x-protobuf',
    ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };
  return {
    async send(bytes, span) {
      try {
        const plain = isJson ? toJson(signal, bytes) : bytes;
        const body =
          compression === 'gzip' ? await compress(plain, { level: constants.Z_BEST_SPEED }) : plain;
        const answer = await poster.post(body, headers);
        span?.setAttribute('http.response.status_code', answer.status);
        return verdictOn(answer);
      } catch (error) {
        // Whatever the network does is worth another attempt, a wrong certificate included: it can be renewed.
        return away(errorMessage(error));
      }
    },
    close: () => poster.close(),
  };
}
