/** Long work gives way: a thousand containers are many, and logs and events wait for nobody. */
import { setImmediate } from 'node:timers/promises';

/** How long work holds the event loop before all else has its turn. */
const LONGEST_TURN_MS = 5;

export class TimeSlice {
  private since = performance.now();

  get isOver(): boolean {
    return performance.now() - this.since > LONGEST_TURN_MS;
  }

  /** Resolves when all else has had its turn, and a new one begins. */
  async yieldToEventLoop(): Promise<void> {
    await setImmediate();
    this.restart();
  }

  /** After something was waited for. */
  restart(): void {
    this.since = performance.now();
  }
}
