/** OTLP over HTTP. */

import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { SignalEndpoint } from '../../config/destinations.ts';
import { createHttpClient, failureOf, type HttpResponse } from '../sending/http-client.ts';
import { accepted, type SendResult, type Transport, unreachable } from '../sending/send-result.ts';
import { requestToJson } from './json.ts';
import { decodeResponse, type PartialSuccess } from './wire/decode.ts';

const compress = promisify(gzip);

interface JsonAnswer {
  partialSuccess?: Record<string, string | number>;
}

function partialSuccessOf({ isJson, body }: HttpResponse): PartialSuccess {
  if (body.length === 0) return { rejected: 0, message: '' };
  if (!isJson) return decodeResponse(body);
  const { errorMessage = '', ...rejected } =
    (JSON.parse(body.toString('utf8')) as JsonAnswer).partialSuccess ?? {};
  return { rejected: Number(Object.values(rejected)[0] ?? 0), message: String(errorMessage) };
}

function verdictOn(answer: HttpResponse): SendResult {
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
export function createHttpTransport(target: SignalEndpoint): Transport {
  const { protocol, signal, compression } = target;
  const client = createHttpClient(target);
  const isJson = protocol === 'http/json';
  const headers = {
    'content-type': isJson ? 'application/json' : 'application/x-protobuf',
    ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };
  return {
    async send(bytes, span) {
      try {
        const plain = isJson ? requestToJson(signal, bytes) : bytes;
        const body =
          compression === 'gzip' ? await compress(plain, { level: constants.Z_BEST_SPEED }) : plain;
        const response = await client.post(body, headers);
        span?.setAttribute('http.response.status_code', response.status);
        return verdictOn(response);
      } catch (error) {
        // Whatever the network does is worth another attempt, a wrong certificate included: it can be renewed.
        return unreachable(errorMessage(error));
      }
    },
    close: () => client.close(),
  };
}
