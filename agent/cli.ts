#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --v8-pool-size=1
import { delayOptimization } from './process/compiler.ts';

// The flags of the first line save a tenth of the resident memory and of the CPU time (npm run bench:idle). A small young
// generation can be collected by one thread besides the main one, and one arena of the C library is enough for threads
// that allocate little.

// First of all: otherwise the loading of modules would count as work.
if (process.argv[2] === 'run') delayOptimization();
const { main } = await import('./main.ts');
await main();
