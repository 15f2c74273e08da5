/**
 * V8's optimizing compilers, which cost an idle agent more than they give it: 10 MB of memory once they have run at all,
 * for code that runs once in ten seconds. They wait until the agent has work to do.
 */
import { setFlagsFromString } from 'node:v8';

const COMPILERS = ['turbofan', 'maglev'];
const LOOK_EVERY_MS = 1000;
/** What is spent at the start is no work. */
const START_MS = 10_000;
/** Share of a core that an idle agent may take. */
const IDLE = 0.005;
/** CPU time beyond that share, in ms, which is work. */
const WORK_MS = 300;

/**
 * Has what runs often compiled only once there is work; to be called before anything has run often.
 * @param startMs how long whatever is spent is the start's
 */
export function compileOnceBusy({ startMs = START_MS } = {}): void {
  for (const compiler of COMPILERS) setFlagsFromString(`--no-${compiler}`);
  let excess = 0;
  let last = process.cpuUsage();
  const begun = performance.now();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    if (performance.now() - begun < startMs) return;
    excess = Math.max(0, excess + (user + system) / 1000 - IDLE * LOOK_EVERY_MS);
    if (excess < WORK_MS) return;
    clearInterval(timer);
    for (const compiler of COMPILERS) setFlagsFromString(`--${compiler}`);
  }, LOOK_EVERY_MS).unref();
}
