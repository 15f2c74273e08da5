/**
 * dockerode without the parts that the agent does not use: building images (gRPC, tar), its own ssh, and its
 * following of redirects, which loads TLS. dockerode always loads them, which costs 35 MB of memory and a
 * quarter of a second at start.
 */
import { createRequire } from 'node:module';
import type Dockerode from 'dockerode';
import { http, https } from '../shared/http.ts';

const require = createRequire(import.meta.url);
const fromDockerode = createRequire(require.resolve('dockerode'));

function unavailable(): never {
  throw new Error('this part of dockerode is not loaded');
}

/** Makes dockerode load `exports` instead of one of its modules. */
function replaceModule(name: string, exports: unknown): void {
  const path = fromDockerode.resolve(name);
  require.cache[path] ??= { id: path, filename: path, loaded: true, exports } as unknown as NodeJS.Module;
}

for (const name of ['./session', 'docker-modem/lib/ssh', 'tar-fs', '@balena/dockerignore'])
  replaceModule(name, unavailable);
// The daemon does not redirect any of the agent's requests.
replaceModule('docker-modem/lib/http', {
  http,
  get https() {
    return https();
  },
});

/** The client of the Engine API. */
export const Docker = require('dockerode') as typeof Dockerode;
