/** The files of a built page, from memory: there are few, and they never change while the agent runs. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Routes } from './route.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.md': 'text/plain; charset=utf-8',
};

/** Compressed by the build; there is nobody here who could not take it. */
const GZIP = '.gz';
const FOR_EVER = 'public, max-age=31536000, immutable';

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length));
}

/**
 * Each file by its path, and `/index.html` as `/` too.
 * @throws when the directory does not exist
 */
export function staticFileRoutes(directory: string): Routes {
  const pages: Record<string, Routes[string]> = {};
  const all = filesBelow(directory);
  for (const path of all.filter((name) => !name.endsWith(GZIP))) {
    const contentType = TYPES[extname(path)] ?? 'application/octet-stream';
    const plain = readFileSync(join(directory, path));
    const compressed = all.includes(path + GZIP) ? readFileSync(join(directory, path + GZIP)) : undefined;
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
    // The build puts a checksum of their content into the names of these.
    const cacheControl = path.startsWith('/assets/') ? FOR_EVER : 'no-cache';
    const common = { etag, 'cache-control': cacheControl, vary: 'accept-encoding' };
    pages[path] = ({ headers }) => {
      if (headers['if-none-match'] === etag) return { status: 304, headers: common, body: '' };
      const takesGzip = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
      return compressed !== undefined && takesGzip
        ? { contentType, headers: { ...common, 'content-encoding': 'gzip' }, body: compressed }
        : { contentType, headers: common, body: plain };
    };
  }
  if (pages['/index.html'] !== undefined) pages['/'] = pages['/index.html'];
  return pages;
}
