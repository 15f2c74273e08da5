/**
 * Loaded into an agent: SIGUSR2 starts measuring how long the event loop is blocked, and the next one write the longest to
 * the file that LOOP_DELAY_REPORT names, in ms. No TypeScript: Node's compiler for that would stay in the agent's memory.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let looks = false;

process.on('SIGUSR2', () => {
  looks = !looks;
  if (looks) {
    delay.enable();
    return;
  }
  delay.disable();
  writeFileSync(
    String(process.env.LOOP_DELAY_REPORT),
    JSON.stringify({ maxMs: delay.max / 1e6 - RESOLUTION_MS }),
  );
});
