/** Reads the files that an endpoint's configuration names: certificates and headers. */
import { readFileSync } from 'node:fs';
import type { HttpEndpoint } from '../../config/destinations.ts';

export interface TlsFiles {
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
    throw new Error(`${option}: cannot read ${path}: ${(error as Error).message}`);
  }
}

/**
 * Reads the certificates. They are read for each connection, so that a renewed one needs no restart.
 * @throws {Error} naming the option whose file cannot be read
 */
export function readTlsFiles({ certificate, clientCertificate, clientKey }: HttpEndpoint): TlsFiles {
  return {
    ca: read(certificate, 'certificate'),
    cert: read(clientCertificate, 'client_certificate'),
    key: read(clientKey, 'client_key'),
  };
}

const HEADER_VALUE = /^[ -~]*$/;
const HEADER_LINE = /^([\w!#$%&'*+.^`|~-]+)\s*[:=]\s*(.*?)\s*$/;

/**
 * The configured headers and those of the headers file, which is read again each time.
 * @throws {Error} when the file cannot be read, or when one of its lines is not a header
 */
export function readHeaders({ headers, headersFile }: HttpEndpoint): Record<string, string> {
  const text = read(headersFile, 'headers_file')?.toString('utf8') ?? '';
  const all: Record<string, string> = { ...headers };
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value] = HEADER_LINE.exec(line.trim()) ?? [];
    // The line can contain a secret, so the message does not repeat it.
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
