/**
 * `npm run test:faults`: the long run with faults of the receiver, the agent and its disk, about twenty
 * minutes. It writes docs/reliability.md. PORTLIGHT_FAULTS_SEED sets the seed of the random faults.
 */
process.env.PORTLIGHT_FAULTS = 'long';
process.argv.push('test/faults/reliability.test.ts', '--timeout=40m');
await import('../run.ts');
