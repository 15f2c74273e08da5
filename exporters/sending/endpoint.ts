/** The files that an endpoint names: certificates and headers. */
import { readFileSync } from 'node:fs';
import type { HttpEndpoint } from '../../config/destinations.ts';

export type { HttpEndpoint as Endpoint };

export interface Tls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** @throws {Error} naming the option whose file cannot be read */
function read(path: string | undefined, option: string): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${option}: ${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The certificates as they are now: whoever renews them need not restart anybody. */
export function tlsOf({ certificate, clientCertificate, clientKey }: HttpEndpoint): Tls {
  return {
    ca: read(certificate, 'certificate'),
    cert: read(clientCertificate, 'client_certificate'),
    key: read(clientKey, 'client_key'),
  };
}

const HEADER_VALUE = /^[ -~]*$/;
const HEADER_LINE = /^([\w!#$%&'*+.^`|~-]+)\s*[:=]\s*(.*?)\s*$/;

/**
 * All headers, those of the file as they are now.
 * @throws {Error} when the file cannot be read, or has a line that is no header
 */
export function headersOf({ headers, headersFile }: HttpEndpoint): Record<string, string> {
  const text = read(headersFile, 'headers_file')?.toString('utf8') ?? '';
  const all: Record<string, string> = { ...headers };
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value] = HEADER_LINE.exec(line.trim()) ?? [];
    // What stands there may be a secret: it is not repeated.
    if (name === undefined)
      throw new Error(
        `headers_file: line ${index + 1} of ${headersFile} is not allowed; expected name: value`,
      );
    all[name.toLowerCase()] = value!;
  }
  for (const [name, value] of Object.entries(all)) {
    if (!HEADER_VALUE.test(value))
      throw new Error(`headers: the value of ${name} is not allowed; expected printable ASCII characters`);
  }
  return all;
}
