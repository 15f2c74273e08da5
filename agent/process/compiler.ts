/**
 * V8's optimizing compilers cost an idle agent more than they save: Maglev takes 4 MB of memory once it has run, TurboFan
 * 5 MB more, for code that runs once in ten seconds. Each of them is switched on when the agent has work for it.
 */
import { setFlagsFromString } from 'node:v8';

const CHECK_INTERVAL_MS = 2500;
/** CPU time of the start does not count as work. */
const START_MS = 10_000;

interface Compiler {
  readonly flag: string;
  /** Share of a core that the agent may use without this compiler. */
  readonly cpuShare: number;
  /** CPU time beyond that share after which the compiler pays off, ms. */
  readonly excessMs: number;
}

const COMPILERS: readonly Compiler[] = [
  { flag: 'maglev', cpuShare: 0.002, excessMs: 25 },
  { flag: 'turbofan', cpuShare: 0.005, excessMs: 300 },
];

/**
 * Switches the optimizing compilers off until the agent is busy. Call it before any code has run often.
 * @param startMs how long CPU time counts as that of the start
 */
export function delayOptimization({ startMs = START_MS } = {}): void {
  const startedAt = performance.now();
  let previous = process.cpuUsage();
  let waiting = COMPILERS.map((compiler) => ({ ...compiler, usedMs: 0 }));
  for (const { flag } of waiting) setFlagsFromString(`--no-${flag}`);
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(previous);
    previous = process.cpuUsage();
    if (performance.now() - startedAt < startMs) return;
    const spentMs = (user + system) / 1000;
    for (const compiler of waiting)
      compiler.usedMs = Math.max(0, compiler.usedMs + spentMs - compiler.cpuShare * CHECK_INTERVAL_MS);
    for (const { flag, usedMs, excessMs } of waiting) if (usedMs >= excessMs) setFlagsFromString(`--${flag}`);
    waiting = waiting.filter(({ usedMs, excessMs }) => usedMs < excessMs);
    if (waiting.length === 0) clearInterval(timer);
  }, CHECK_INTERVAL_MS).unref();
}
