#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --v8-pool-size=1
import { delayOptimization } from './process/compiler.ts';

// What the first line says saves a tenth of the resident memory, and of the CPU time (npm run bench:idle): a small young
// generation, which one thread besides this one is enough to clear, and one arena of the C library for all
// threads, which allocate little.

// Before anything else: that much is loaded would pass for work.
if (process.argv[2] === 'run') delayOptimization();
const { main } = await import('./main.ts');
await main();
