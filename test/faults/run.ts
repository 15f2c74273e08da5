/**
 * `npm run test:faults`: the faults of a receiver, an agent and its disk at length, some twenty minutes. Writes
 * docs/reliability.md. PORTLIGHT_FAULTS_SEED has what came at random come otherwise.
 */
process.env.PORTLIGHT_FAULTS = 'long';
process.argv.push('test/faults/reliability.test.ts', '--timeout=40m');
await import('../run.ts');
