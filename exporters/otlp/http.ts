import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import type { SignalEndpoint } from '../../config/destinations.ts';
import { createHttpClient, failureOf, type HttpResponse } from '../sending/http-client.ts';
import { accepted, type SendResult, type Transport, unreachable } from '../sending/send-result.ts';
import { requestToJson } from './json.ts';
import { decodeResponse, type PartialSuccess } from './wire/decode.ts';

const compress = promisify(gzip);

interface JsonResponse {
  partialSuccess?: Record<string, string | number>;
}

function partialSuccessOf({ isJson, body }: HttpResponse): PartialSuccess {
  if (body.length === 0) return { rejected: 0, message: '' };
  if (!isJson) return decodeResponse(body);
  const { errorMessage = '', ...rejected } =
    (JSON.parse(body.toString('utf8')) as JsonResponse).partialSuccess ?? {};
  return { rejected: Number(Object.values(rejected)[0] ?? 0), message: String(errorMessage) };
}

function toSendResult(response: HttpResponse): SendResult {
  const failure = failureOf(response);
  if (failure !== undefined) return failure;
  try {
    return accepted(partialSuccessOf(response));
  } catch {
    // The receiver accepted the request. Only its partial success cannot be read.
    return accepted({ rejected: 0, message: '' });
  }
}

/** OTLP over HTTP. @throws {Error} when a file of the endpoint cannot be read */
export function createHttpTransport(endpoint: SignalEndpoint): Transport {
  const { protocol, signal, compression } = endpoint;
  const client = createHttpClient(endpoint);
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
        return toSendResult(response);
      } catch (error) {
        // Every network error is retried. Even an untrusted certificate can be renewed meanwhile.
        return unreachable(errorMessage(error));
      }
    },
    close: () => client.close(),
  };
}
