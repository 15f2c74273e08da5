/**
 * Signs requests, so that their receiver knows that they are ours, and not somebody's repeat of an old one.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const PREFIX = 'whsec_';

/** @throws {Error} when the file cannot be read, or has nothing in it */
export function secretOf(path: string): Buffer {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Error(`secret_file: ${path} cannot be read: ${(error as Error).message}`);
  }
  if (text === '') throw new Error(`secret_file: ${path} is empty; expected a secret`);
  return text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), 'base64') : Buffer.from(text);
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
