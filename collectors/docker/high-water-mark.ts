/** How far events are done, where they are begun in order and done in any. */
import type { UnixNano } from '../records/records.ts';

export class HighWaterMark {
  private readonly begun: { readonly time: UnixNano; isDone: boolean }[] = [];
  private readonly save: (time: UnixNano) => void;

  /** @param save called with the time up to which everything is done, whenever it rises */
  constructor(save: (time: UnixNano) => void) {
    this.save = save;
  }

  /** @returns to be called when the event is done */
  begin(time: UnixNano): () => void {
    const event = { time, isDone: false };
    this.begun.push(event);
    return () => {
      event.isDone = true;
      const open = this.begun.findIndex(({ isDone }) => !isDone);
      const done = this.begun.splice(0, open === -1 ? this.begun.length : open);
      if (done.length > 0) this.save(done.at(-1)!.time);
    };
  }
}
