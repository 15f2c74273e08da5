/** Static files, served from memory: they are few, and do not change while the agent runs. */
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

/** Extension of the compressed copies that the build creates. */
const GZIP = '.gz';
const IMMUTABLE = 'public, max-age=31536000, immutable';

function listFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length));
}

/**
 * A route for each file of a directory; `/` is `/index.html`.
 * @throws if the directory does not exist
 */
export function staticFileRoutes(directory: string): Routes {
  const routes: Record<string, Routes[string]> = {};
  const all = listFiles(directory);
  for (const path of all.filter((name) => !name.endsWith(GZIP))) {
    const contentType = TYPES[extname(path)] ?? 'application/octet-stream';
    const plain = readFileSync(join(directory, path));
    const compressed = all.includes(path + GZIP) ? readFileSync(join(directory, path + GZIP)) : undefined;
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
    // The build puts a checksum of the content into these names.
    const cacheControl = path.startsWith('/assets/') ? IMMUTABLE : 'no-cache';
    const common = { etag, 'cache-control': cacheControl, vary: 'accept-encoding' };
    routes[path] = ({ headers }) => {
      if (headers['if-none-match'] === etag) return { status: 304, headers: common, body: '' };
      const acceptsGzip = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
      return compressed !== undefined && acceptsGzip
        ? { contentType, headers: { ...common, 'content-encoding': 'gzip' }, body: compressed }
        : { contentType, headers: common, body: plain };
    };
  }
  if (routes['/index.html'] !== undefined) routes['/'] = routes['/index.html'];
  return routes;
}
