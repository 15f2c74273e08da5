/** The access token for requests from other machines: one line in the file `token` of data_dir. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';

const BYTES = 32;
/** Minimum length of a token that the user chose. */
const MIN_LENGTH = 16;

/** Whether an address is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/**
 * Reads the token of a data directory.
 * @returns undefined if there is none yet
 * @throws {Error} if the file cannot be read, or the token is too short
 */
export function readToken(directory: string): string | undefined {
  const path = join(directory, 'token');
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (token.length < MIN_LENGTH)
    throw new Error(
      `${path}: token is too short; expected at least ${MIN_LENGTH} characters. Without the file, the agent generates a token`,
    );
  return token;
}

/**
 * Reads the token of a data directory, or generates one.
 * @throws {Error} if the file cannot be read or written
 */
function ensureToken(directory: string): { readonly token: string; readonly isNew: boolean } {
  const path = join(directory, 'token');
  const known = readToken(directory);
  if (known !== undefined) {
    chmodSync(path, 0o600);
    return { token: known, isNew: false };
  }
  const token = randomBytes(BYTES).toString('base64url');
  writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return { token, isNew: true };
}

/**
 * The token that requests must have; undefined on loopback. A new token is logged once.
 * @throws {Error} if the file cannot be read or written
 */
export function requiredToken(host: string, directory: string, logger: Logger): string | undefined {
  if (isLoopback(host)) return undefined;
  const { token, isNew } = ensureToken(directory);
  if (isNew)
    // At warning level, so that it is logged by default: the user needs it to log in.
    logger.warn(
      { token },
      `listen: ${host} allows remote access, so a token is required. Generated one in ${join(directory, 'token')}`,
    );
  return token;
}

/** Compares in constant time. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** The value of the session cookie: it does not reveal the token, and is invalid once the token changes. */
export const sessionTokenOf = (token: string): string =>
  createHmac('sha256', token).update('portlight session').digest('base64url');
