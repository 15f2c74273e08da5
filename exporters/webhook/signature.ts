/**
 * Signs requests, so that their receiver knows that they are ours, and not somebody's repeat of an old one.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const PREFIX = 'whsec_';
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/** @throws {Error} when the file cannot be read, or has nothing in it */
export function secretOf(path: string): Buffer {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Error(`secret_file: ${path} cannot be read: ${(error as Error).message}`);
  }
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
  const secret = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+=*$/.test(encoded) || secret.length < LEAST_BYTES || secret.length > MOST_BYTES)
    throw new Error(
      `secret_file: what is in ${path} is not allowed; expected ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64, with or without ${PREFIX} before them (openssl rand -base64 32)`,
    );
  return secret;
}

/** @param uid the same whenever the same is sent again */
export function signed(
  uid: string,
  body: string,
  secret: Buffer | undefined,
  seconds: number,
): Record<string, string> {
  // A dot in it would make it another message's.
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
