/** Decides when rounds of metrics run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilIntervalOffset } from './interval-offset.ts';

/** Time from the first round, which runs at once, to the second: rates need two rounds. */
const FIRST_INTERVAL_MS = 1000;
/** How long `close` waits for a running round. */
const CLOSE_MS = 500;
/** How long a round waits for what it has to request. */
const MAX_PREPARATION_MS = 5000;

export class RoundScheduler {
  private readonly hostId: string;
  private readonly intervalMs: number;
  private readonly runRound: (deadline: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  /**
   * @param hostId spreads the rounds of many agents over the interval
   * @param intervalMs from the start of one round to the next
   * @param runRound never rejects; what it requests has to arrive before `deadline` aborts
   */
  constructor(hostId: string, intervalMs: number, runRound: (deadline: AbortSignal) => Promise<void>) {
    this.hostId = hostId;
    this.intervalMs = intervalMs;
    this.runRound = runRound;
  }

  /** Starts the rounds, unless they run already. */
  start(): void {
    this.running ??= this.run().catch(() => {});
  }

  /** Resolves when no round runs any longer, after 500 ms at most. */
  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  /** @throws when `close` aborts the wait for the next round */
  private async run(): Promise<void> {
    const { intervalMs } = this;
    const { signal } = this.stopping;
    const round = () => {
      const timeout = AbortSignal.timeout(Math.min(intervalMs / 2, MAX_PREPARATION_MS));
      return this.runRound(AbortSignal.any([signal, timeout]));
    };
    await round();
    await sleep(Math.min(FIRST_INTERVAL_MS, intervalMs), undefined, { signal });
    await round();
    const first = untilIntervalOffset(this.hostId, intervalMs, Date.now());
    for (let due = performance.now() + first; ; due = Math.max(due + intervalMs, performance.now())) {
      await sleep(Math.max(0, due - performance.now()), undefined, { signal });
      await round();
    }
  }
}
