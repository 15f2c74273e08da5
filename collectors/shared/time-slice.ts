/** Splits long work, such as a round of a thousand containers, so that logs and events do not wait for it. */
import { setImmediate } from 'node:timers/promises';

/** How long work may block the event loop before it yields. */
const SLICE_MS = 5;

export class TimeSlice {
  private startedAt = performance.now();

  get isOver(): boolean {
    return performance.now() - this.startedAt > SLICE_MS;
  }

  /** Lets everything else run that is ready, and starts a new slice. */
  async yieldToEventLoop(): Promise<void> {
    await setImmediate();
    this.restart();
  }

  /** Starts a new slice. Call it after an await, during which other work could run. */
  restart(): void {
    this.startedAt = performance.now();
  }
}
