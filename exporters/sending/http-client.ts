/**
 * POST requests to one URL, and the classification of responses. It uses Node's own client: fetch supports
 * neither client certificates nor a deadline for the whole request, which a receiver could escape by sending
 * one byte at a time.
 */

import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, https } from '../../collectors/shared/http.ts';
import type { HttpEndpoint } from '../../config/destinations.ts';
import { VERSION } from '../../config/version.ts';
import type { OwnSpan } from '../shared/own-tracer.ts';
import { readHeaders, readTlsFiles } from './endpoint-files.ts';
import { accepted, refused, retry, type SendResult, tooLarge, unreachable } from './send-result.ts';

/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE = new Set([429, 502, 503, 504]);
const TOO_LARGE = 413;
/** Statuses that one record of the request can cause. */
const OF_CONTENT = new Set([400, 422, 500]);
/** The rest of a longer response is not read. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const MAX_MESSAGE_LENGTH = 300;
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]+/gu;

export interface HttpResponse {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly isJson: boolean;
  readonly body: Buffer;
}

export interface HttpClient {
  /** @throws when there is no complete response, whatever the cause, or when the deadline passes */
  post(body: Buffer, headers: Readonly<Record<string, string>>): Promise<HttpResponse>;
  close(): void;
}

/**
 * `Retry-After` is in seconds, or a date. Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : date - Date.now();
}

/** The receiver's explanation: the text of the response, or the message of a `google.rpc.Status` in JSON. */
function reasonOf({ body, isJson }: HttpResponse): string {
  let text = body.toString('utf8');
  if (isJson) {
    try {
      text = (JSON.parse(text) as { message?: string }).message ?? text;
    } catch {
      // A body that is not JSON, whatever its type says, is shown as it is.
    }
  }
  return text.replaceAll(UNPRINTABLE, ' ').trim().slice(0, MAX_MESSAGE_LENGTH);
}

/** Receivers of alerts follow no specification: every error on their side is retried. */
const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/**
 * Classifies a response that is an error.
 * @param isRetryable whether a status is retried; by default as OTLP specifies
 * @returns undefined when the receiver accepted the request
 */
export function failureOf(
  response: HttpResponse,
  isRetryable: (status: number) => boolean = (status) => RETRYABLE.has(status),
): SendResult | undefined {
  const { status } = response;
  if (status >= 200 && status < 300) return undefined;
  const message = `HTTP ${status} ${reasonOf(response)}`.trim();
  if (isRetryable(status)) return retry(message, retryAfterMs(response.retryAfter));
  return status === TOO_LARGE ? tooLarge(message) : refused(message, OF_CONTENT.has(status));
}

/** Posts to a receiver of alerts. Never rejects: every error of the network is retried. */
export async function postAlert(
  client: HttpClient,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  span?: OwnSpan,
): Promise<SendResult> {
  try {
    const response = await client.post(body, headers);
    span?.setAttribute('http.response.status_code', response.status);
    return failureOf(response, isTransient) ?? accepted({ rejected: 0, message: '' });
  } catch (error) {
    return unreachable(errorMessage(error));
  }
}

/** @throws when the response is incomplete */
async function readResponse(response: IncomingMessage): Promise<HttpResponse> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) break;
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    isJson: /json/.test(response.headers['content-type'] ?? ''),
    body: Buffer.concat(chunks),
  };
}

/** @throws {Error} when a file of the endpoint cannot be read */
export function createHttpClient(endpoint: HttpEndpoint): HttpClient {
  const { url, timeoutMs } = endpoint;
  const isSecure = url.protocol === 'https:';
  const { Agent, request } = isSecure ? https() : http;
  const agent = new Agent({ keepAlive: true, ...(isSecure ? readTlsFiles(endpoint) : {}) });
  const common = { 'user-agent': `portlight/${VERSION}`, ...readHeaders(endpoint) };
  return {
    post: (body, headers) =>
      new Promise((resolve, reject) => {
        const sent = request(url, {
          method: 'POST',
          agent,
          headers: { ...common, ...headers, 'content-length': body.length },
        });
        // The deadline covers the whole request, from the first byte to the last.
        const deadline = setTimeout(() => {
          const error = new Error(`no answer within ${timeoutMs} ms`);
          reject(error);
          sent.destroy(error);
        }, timeoutMs);
        const end = (act: () => void) => {
          clearTimeout(deadline);
          act();
        };
        sent.on('error', (error) => end(() => reject(error)));
        // Node reports a protocol upgrade as neither a response nor an error.
        sent.on('upgrade', (_, socket) => {
          socket.destroy();
          end(() => reject(new Error('the receiver asked for another protocol')));
        });
        sent.on('response', (response) => {
          readResponse(response).then(
            (response) => end(() => resolve(response)),
            (error) => end(() => reject(error)),
          );
        });
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
