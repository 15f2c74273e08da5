/**
 * dockerode as far as it reads. What it builds images with (gRPC) and its own way through ssh are left out: they are
 * loaded with it whether they are used or not, and cost 29 MB of memory and a quarter of a second at each start.
 */
import { createRequire } from 'node:module';
import type Dockerode from 'dockerode';

const require = createRequire(import.meta.url);
const fromDockerode = createRequire(require.resolve('dockerode'));

function unused(): never {
  throw new Error('this part of dockerode is left out');
}

for (const path of [fromDockerode.resolve('./session'), fromDockerode.resolve('docker-modem/lib/ssh')])
  require.cache[path] ??= {
    id: path,
    filename: path,
    loaded: true,
    exports: unused,
  } as unknown as NodeJS.Module;

/** The client of the Engine API. */
export const Docker = require('dockerode') as typeof Dockerode;
