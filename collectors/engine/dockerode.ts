/**
 * dockerode as far as it reads. What it builds images with (gRPC, tar), its own way through ssh and its own following of
 * redirects, which brings TLS, are left out: they are loaded with it whether they are used or not, and cost 35 MB of
 * memory and a quarter of a second at each start.
 */
import { createRequire } from 'node:module';
import type Dockerode from 'dockerode';
import { http, https } from '../shared/http.ts';

const require = createRequire(import.meta.url);
const fromDockerode = createRequire(require.resolve('dockerode'));

function unused(): never {
  throw new Error('this part of dockerode is left out');
}

/** Has dockerode find this in the place of a module of its own. */
function replace(name: string, exports: unknown): void {
  const path = fromDockerode.resolve(name);
  require.cache[path] ??= { id: path, filename: path, loaded: true, exports } as unknown as NodeJS.Module;
}

for (const name of ['./session', 'docker-modem/lib/ssh', 'tar-fs', '@balena/dockerignore'])
  replace(name, unused);
// The daemon redirects none of our requests.
replace('docker-modem/lib/http', {
  http,
  get https() {
    return https();
  },
});

/** The client of the Engine API. */
export const Docker = require('dockerode') as typeof Dockerode;
