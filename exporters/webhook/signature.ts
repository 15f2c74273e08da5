/**
 * Signs requests, so that the receiver can verify their sender and detect a replay.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const PREFIX = 'whsec_';
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

/** @throws {Error} when the file cannot be read, or when it does not contain a valid secret */
export function readSecret(path: string): Buffer {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Error(`secret_file: cannot read ${path}: ${(error as Error).message}`);
  }
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
  const secret = Buffer.from(encoded, 'base64');
  if (
    !/^[A-Za-z0-9+/]+=*$/.test(encoded) ||
    secret.length < MIN_SECRET_BYTES ||
    secret.length > MAX_SECRET_BYTES
  )
    throw new Error(
      `secret_file: the content of ${path} is not allowed; expected ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes in base64, with or without the prefix ${PREFIX} (openssl rand -base64 32)`,
    );
  return secret;
}

/**
 * The headers that identify and sign a request.
 * @param uid identifies the alert; the same for each attempt
 * @param seconds time of the attempt, since the epoch
 */
export function signatureHeaders(
  uid: string,
  body: string,
  secret: Buffer | undefined,
  seconds: number,
): Record<string, string> {
  // The signature separates id, time and body by dots: the id must not contain one.
  const id = `msg_${createHash('sha256').update(uid).digest('base64url').slice(0, 27)}`;
  const signature =
    secret === undefined
      ? undefined
      : createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    ...(signature !== undefined && { 'webhook-signature': `v1,${signature}` }),
  };
}
