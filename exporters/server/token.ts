/** The token that whoever looks from beyond the machine has to know: one line in the file `token` of data_dir. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';

const BYTES = 32;
/** One that somebody chose is not to be guessed either. */
const LEAST_CHARACTERS = 16;

/** Whether only this machine reaches an address that is listened on. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/**
 * The token that is kept in a directory.
 * @returns undefined where there is none yet
 * @throws {Error} when it may not be read, or is too short to keep anybody out
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
  if (token.length < LEAST_CHARACTERS)
    throw new Error(
      `${path}: is too short; expected ${LEAST_CHARACTERS} characters at least, or no such file`,
    );
  return token;
}

/**
 * The token of a directory, made where there is none yet.
 * @throws {Error} when it can neither be read nor written
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
 * What whoever looks has to know; undefined where only this machine reaches the address. A new one is told once.
 * @throws {Error} when it can neither be read nor written
 */
export function requiredToken(host: string, directory: string, logger: Logger): string | undefined {
  if (isLoopback(host)) return undefined;
  const { token, isNew } = ensureToken(directory);
  if (isNew)
    // Whatever is logged: nobody could look without it.
    logger.warn(
      { token },
      `listen: ${host} is reached from elsewhere: this token is required, and kept in ${join(directory, 'token')}`,
    );
  return token;
}

/** Takes as long whatever is given. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** What a browser keeps in the token's place; nobody finds the token from it, and it ends with the token. */
export const sessionTokenOf = (token: string): string =>
  createHmac('sha256', token).update('portlight session').digest('base64url');
