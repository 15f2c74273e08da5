/**
 * `npm run test:unit`: types, lint and the tests that need neither root nor Docker, in less than a minute. Further arguments go
 * to AVA (`npm run test:unit -- test/unit/spool.test.ts`).
 */
import { checkSources, conclude, runAva } from './setup.ts';

const TESTS = ['test/lint/**/*.test.ts', 'test/unit/**/*.test.ts'];

conclude(async (args) => {
  const isClean = checkSources();
  const { passed, failed } = await runAva(args.length === 0 ? TESTS : args);
  console.log(`${passed} passed, ${failed} failed`);
  return isClean && failed === 0;
});
