/** Processes the events of one object in order. Events of other objects do not wait for them. */
export class ObjectQueue {
  /** The last task of each object. */
  private readonly last = new Map<string, Promise<void>>();
  private readonly onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.onError = onError;
  }

  /** Runs a task once all earlier tasks of any of these objects are done. */
  run(objectIds: readonly string[], task: () => Promise<void>): void {
    const done = Promise.all(objectIds.map((id) => this.last.get(id)))
      .then(task)
      .catch(this.onError);
    for (const id of objectIds) this.last.set(id, done);
    done
      .then(() => {
        for (const id of objectIds) if (this.last.get(id) === done) this.last.delete(id);
      })
      .catch(this.onError);
  }

  /** Resolves when all tasks that were queued by now are done. */
  async whenIdle(): Promise<void> {
    await Promise.all(this.last.values());
  }
}
