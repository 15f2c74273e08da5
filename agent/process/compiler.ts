/**
 * V8's optimizing compilers cost an idle agent more than they give it: Maglev 4 MB of memory once it has run at all,
 * TurboFan 5 MB more, for code that runs once in ten seconds. Each waits until the agent has work for it.
 */
import { setFlagsFromString } from 'node:v8';

const LOOK_EVERY_MS = 2500;
/** What is spent at the start is no work. */
const START_MS = 10_000;

interface Compiler {
  readonly flag: string;
  /** Share of a core that the agent may take without it. */
  readonly share: number;
  /** CPU time beyond that share, in ms, for which it is worth having. */
  readonly worth: number;
}

const COMPILERS: readonly Compiler[] = [
  { flag: 'maglev', share: 0.002, worth: 25 },
  { flag: 'turbofan', share: 0.005, worth: 300 },
];

/**
 * Has what runs often compiled only once there is work; to be called before anything has run often.
 * @param startMs how long whatever is spent is the start's
 */
export function delayOptimization({ startMs = START_MS } = {}): void {
  const begun = performance.now();
  let last = process.cpuUsage();
  let waiting = COMPILERS.map((compiler) => ({ ...compiler, excess: 0 }));
  for (const { flag } of waiting) setFlagsFromString(`--no-${flag}`);
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    if (performance.now() - begun < startMs) return;
    for (const compiler of waiting)
      compiler.excess = Math.max(
        0,
        compiler.excess + (user + system) / 1000 - compiler.share * LOOK_EVERY_MS,
      );
    for (const { flag, excess, worth } of waiting) if (excess >= worth) setFlagsFromString(`--${flag}`);
    waiting = waiting.filter(({ excess, worth }) => excess < worth);
    if (waiting.length === 0) clearInterval(timer);
  }, LOOK_EVERY_MS).unref();
}
