/**
 * POST requests to one URL, and what their answers mean. Node's own client: fetch has neither certificates of ours nor a
 * deadline that a receiver which drips cannot escape.
 */

import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../../collectors/shared/error-message.ts';
import { http, https } from '../../collectors/shared/http.ts';
import { VERSION } from '../../config/version.ts';
import type { OwnSpan } from '../shared/own-tracer.ts';
import { type Endpoint, headersOf, tlsOf } from './endpoint.ts';
import { accepted, away, refused, retry, tooLarge, type Verdict } from './verdict.ts';

/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE = new Set([429, 502, 503, 504]);
const TOO_LARGE = 413;
/** Refused for what is in a request, or for what that did to the receiver. */
const OF_CONTENT = new Set([400, 422, 500]);
/** Of an answer that is longer the rest is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;
const LONGEST_MESSAGE = 300;
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]+/gu;

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly isJson: boolean;
  readonly body: Buffer;
}

export interface Poster {
  /** @throws when there is no answer: whatever the network did, or the deadline passed */
  post(body: Buffer, headers: Readonly<Record<string, string>>): Promise<Answer>;
  close(): void;
}

/** Seconds, or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : date - Date.now();
}

/** What the receiver says for a person: text as it is; of a `google.rpc.Status` its message. */
function reasonOf({ body, isJson }: Answer): string {
  let text = body.toString('utf8');
  if (isJson) {
    try {
      text = (JSON.parse(text) as { message?: string }).message ?? text;
    } catch {
      // What calls itself JSON and is none is shown as it is.
    }
  }
  return text.replaceAll(UNPRINTABLE, ' ').trim().slice(0, LONGEST_MESSAGE);
}

/** Of receivers that no specification binds: whatever is their own fault can pass. */
const mayPass = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/**
 * @param isRetryable whether what is answered with a status is to be sent again; by default as OTLP has it
 * @returns undefined where it was taken
 */
export function failureOf(
  answer: Answer,
  isRetryable: (status: number) => boolean = (status) => RETRYABLE.has(status),
): Verdict | undefined {
  const { status } = answer;
  if (status >= 200 && status < 300) return undefined;
  const message = `HTTP ${status} ${reasonOf(answer)}`.trim();
  if (isRetryable(status)) return retry(message, retryAfterMs(answer.retryAfter));
  return status === TOO_LARGE ? tooLarge(message) : refused(message, OF_CONTENT.has(status));
}

/** Posts to a receiver of alerts: whatever the network does is worth another attempt. */
export async function posted(
  poster: Poster,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  span?: OwnSpan,
): Promise<Verdict> {
  try {
    const answer = await poster.post(body, headers);
    span?.setAttribute('http.response.status_code', answer.status);
    return failureOf(answer, mayPass) ?? accepted({ rejected: 0, message: '' });
  } catch (error) {
    return away(errorMessage(error));
  }
}

/** @throws when the answer ends before its end */
async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) break;
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    isJson: /json/.test(response.headers['content-type'] ?? ''),
    body: Buffer.concat(chunks),
  };
}

/** @throws {Error} when a file of the endpoint cannot be read */
export function posterOf(endpoint: Endpoint): Poster {
  const { url, timeoutMs } = endpoint;
  const isSecure = url.protocol === 'https:';
  const { Agent, request } = isSecure ? https() : http;
  const agent = new Agent({ keepAlive: true, ...(isSecure ? tlsOf(endpoint) : {}) });
  const common = { 'user-agent': `portlight/${VERSION}`, ...headersOf(endpoint) };
  return {
    post: (body, headers) =>
      new Promise((resolve, reject) => {
        const sent = request(url, {
          method: 'POST',
          agent,
          headers: { ...common, ...headers, 'content-length': body.length },
        });
        // From the first byte to the last: neither silence nor dripping gets beyond it.
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
        // An upgrade of the protocol is neither an answer nor an error.
        sent.on('upgrade', (_, socket) => {
          socket.destroy();
          end(() => reject(new Error('the receiver wants to speak another protocol')));
        });
        sent.on('response', (response) => {
          read(response).then(
            (answer) => end(() => resolve(answer)),
            (error) => end(() => reject(error)),
          );
        });
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
