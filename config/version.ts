import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

const manifest = findPackageJSON(import.meta.url);

/** The agent's version, from its package.json (beside the sources, or above `dist` once built). */
export const VERSION: string = JSON.parse(readFileSync(manifest!, 'utf8')).version;
