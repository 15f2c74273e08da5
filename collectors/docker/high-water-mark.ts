/** Up to which time events are processed, where they arrive in order and finish in any order. */
import type { UnixNano } from '../records/records.ts';

export class HighWaterMark {
  private readonly tracked: { readonly time: UnixNano; isDone: boolean }[] = [];
  private readonly save: (time: UnixNano) => void;

  /** @param save called with the time up to which everything is processed, whenever it rises */
  constructor(save: (time: UnixNano) => void) {
    this.save = save;
  }

  /** @returns call it when the event is processed */
  track(time: UnixNano): () => void {
    const event = { time, isDone: false };
    this.tracked.push(event);
    return () => {
      event.isDone = true;
      const firstOpen = this.tracked.findIndex(({ isDone }) => !isDone);
      const done = this.tracked.splice(0, firstOpen === -1 ? this.tracked.length : firstOpen);
      if (done.length > 0) this.save(done.at(-1)!.time);
    };
  }
}
