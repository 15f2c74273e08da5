#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --v8-pool-size=1
import { delayOptimization } from './process/compiler.ts';

// The flags in the first line of this file save a tenth of the resident memory and of the CPU time (npm run bench:idle):
// one thread beside the main one is enough to collect a small young generation, and one arena of the C library is enough
// for threads that allocate little.

// Called before the other modules are loaded, so that loading them does not count as work.
if (process.argv[2] === 'run') delayOptimization();
const { main } = await import('./main.ts');
await main();
