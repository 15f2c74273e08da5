import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import test from 'ava';

/** Prints whether a function was optimized after 2000 calls, and after more work. */
const SCRIPT = `
import { delayOptimization } from ${JSON.stringify(new URL('../../agent/process/compiler.ts', import.meta.url).href)};
delayOptimization({ startMs: 0 });
function sum(count) { let all = 0; for (let index = 0; index < count; index++) all = (all * 31 + index) | 0; return all; }
const isOptimized = () => (%GetOptimizationStatus(sum) & (16 | 32 | 64)) !== 0;
for (let call = 0; call < 2000; call++) sum(1000);
const idle = isOptimized();
const until = performance.now() + 20_000;
while (!isOptimized() && performance.now() < until) {
  for (let call = 0; call < 2000; call++) sum(1000);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(JSON.stringify({ idle, busy: isOptimized() }));
`;

test('code is optimized once the agent is busy, and not before', async (t) => {
  const child = spawn(
    process.execPath,
    ['--allow-natives-syntax', '--no-warnings', '--input-type=module', '--eval', SCRIPT],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.deepEqual(JSON.parse(await text(child.stdout)), { idle: false, busy: true });
});
