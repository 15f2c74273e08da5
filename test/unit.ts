/**
 * `npm run test:unit`: types, lint and the tests that need neither root nor Docker, in less than a minute. Further arguments go
 * to AVA (`npm run test:unit -- test/unit/spool.test.ts`).
 */
import { checkSources, conclude, runAva } from './setup.ts';

/** Many of these tests wait for timers: four files at a time keep two cores busy. */
const ALL = ['--concurrency', '4', 'test/lint/**/*.test.ts', 'test/unit/**/*.test.ts'];

conclude(async (args) => {
  const isClean = checkSources();
  const { passed, failed } = await runAva(args.length === 0 ? ALL : args);
  console.log(`${passed} passed, ${failed} failed`);
  return isClean && failed === 0;
});
