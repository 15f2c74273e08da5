/** When rounds of metrics are collected. */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilIntervalOffset } from './interval-offset.ts';

/** The first round comes at once, a second one soon after it: rates need two. */
const FIRST_INTERVAL_MS = 1000;
/** How long the end waits for a round that is under way. */
const STOP_MS = 500;
/** How long a round waits for what has to be asked for. */
const LONGEST_PREPARATION_MS = 5000;

export class RoundScheduler {
  private readonly host: string;
  private readonly interval: number;
  private readonly round: (deadline: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  /** Nothing but the end interrupts it. */
  private running: Promise<void> | undefined;

  /**
   * @param host by which rounds of many agents are spread over the interval
   * @param interval from one round to the next, ms
   * @param round collects; never rejects. What it has to ask for comes before the deadline, or not at all
   */
  constructor(host: string, interval: number, round: (deadline: AbortSignal) => Promise<void>) {
    this.host = host;
    this.interval = interval;
    this.round = round;
  }

  /** Begins, unless it has. */
  start(): void {
    this.running ??= this.run().catch(() => {});
  }

  /** Resolves when no round is under way, or will not end soon. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, sleep(STOP_MS, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { interval } = this;
    const { signal } = this.stopping;
    const round = () => {
      const late = AbortSignal.timeout(Math.min(interval / 2, LONGEST_PREPARATION_MS));
      return this.round(AbortSignal.any([signal, late]));
    };
    await round();
    // Rates need a second round, which need not wait for the interval.
    await sleep(Math.min(FIRST_INTERVAL_MS, interval), undefined, { signal });
    await round();
    const first = untilIntervalOffset(this.host, interval, Date.now());
    for (let due = performance.now() + first; ; due = Math.max(due + interval, performance.now())) {
      await sleep(Math.max(0, due - performance.now()), undefined, { signal });
      await round();
    }
  }
}
