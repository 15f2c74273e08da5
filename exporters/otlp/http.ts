/**
 * OTLP over HTTP. Node's own client: OpenTelemetry's exporter keeps to itself what the receiver answered, and
 * its time limit is one of silence, which a receiver that drips never reaches.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { decodeResponse, type PartialSuccess } from '../../agent/otlp/decode.ts';
import { messageOf } from '../../agent/telemetry.ts';
import { VERSION } from '../../agent/version.ts';
import type { Target } from '../../config/destinations.ts';
import { toJson } from './json.ts';
import { headersOf, tlsOf } from './target.ts';
import { accepted, away, refused, retry, type Transport, tooLarge, type Verdict } from './verdict.ts';

/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE = new Set([429, 502, 503, 504]);
const TOO_LARGE = 413;
/** Refused for what is in a request, or for what that did to the receiver. */
const OF_CONTENT = new Set([400, 422, 500]);
/** Of an answer that is longer the rest is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;
const LONGEST_MESSAGE = 300;
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]+/gu;

const compress = promisify(gzip);

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly isJson: boolean;
  readonly body: Buffer;
}

/** Seconds, or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : date - Date.now();
}

interface JsonAnswer {
  partialSuccess?: Record<string, string | number>;
  message?: string;
}

function partialSuccessOf({ isJson, body }: Answer): PartialSuccess {
  if (body.length === 0) return { rejected: 0, message: '' };
  if (!isJson) return decodeResponse(body);
  const { errorMessage = '', ...rejected } =
    (JSON.parse(body.toString('utf8')) as JsonAnswer).partialSuccess ?? {};
  return { rejected: Number(Object.values(rejected)[0] ?? 0), message: String(errorMessage) };
}

/** What the receiver says for a person: text as it is; of a `google.rpc.Status` its message. */
function reasonOf({ body, isJson }: Answer): string {
  let text = body.toString('utf8');
  if (isJson) {
    try {
      text = (JSON.parse(text) as JsonAnswer).message ?? text;
    } catch {
      // What calls itself JSON and is none is shown as it is.
    }
  }
  return text.replaceAll(UNPRINTABLE, ' ').trim().slice(0, LONGEST_MESSAGE);
}

function verdictOn(answer: Answer): Verdict {
  const { status } = answer;
  if (status >= 200 && status < 300) {
    try {
      return accepted(partialSuccessOf(answer));
    } catch {
      // It was taken; whatever else was to be said of it cannot be read.
      return accepted({ rejected: 0, message: '' });
    }
  }
  const message = `HTTP ${status} ${reasonOf(answer)}`.trim();
  if (RETRYABLE.has(status)) return retry(message, retryAfterMs(answer.retryAfter));
  return status === TOO_LARGE ? tooLarge(message) : refused(message, OF_CONTENT.has(status));
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

/** @throws {Error} when a file of the target cannot be read */
export function httpTransport(target: Target): Transport {
  const { url, protocol, signal, timeoutMs, compression } = target;
  const isSecure = url.protocol === 'https:';
  const agent = isSecure
    ? new HttpsAgent({ keepAlive: true, ...tlsOf(target) })
    : new HttpAgent({ keepAlive: true });
  const request = isSecure ? requestHttps : requestHttp;
  const isJson = protocol === 'http/json';
  const headers = {
    'user-agent': `portlight/${VERSION}`,
    ...headersOf(target),
    'content-type': isJson ? 'application/json' : 'application/x-protobuf',
    ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };

  const post = (body: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': body.length },
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
    });

  return {
    async send(bytes) {
      try {
        const plain = isJson ? toJson(signal, bytes) : bytes;
        const body =
          compression === 'gzip' ? await compress(plain, { level: constants.Z_BEST_SPEED }) : plain;
        return verdictOn(await post(body));
      } catch (error) {
        // Whatever the network does is worth another attempt, a wrong certificate included: it can be renewed.
        return away(messageOf(error));
      }
    },
    close: () => agent.destroy(),
  };
}
