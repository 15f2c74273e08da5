/** Closes what a start has opened, when the start fails. */

export class Rollback {
  private readonly steps: (() => unknown)[] = [];
  private readonly onError: (error: unknown) => void;
  private hasRun = false;

  /** @param onError called with the error of a step; the other steps still run */
  constructor(onError: (error: unknown) => void) {
    this.onError = onError;
  }

  /**
   * Called after something was opened. When the start has failed meanwhile, it is closed at once.
   * @param close closes it
   */
  add(close: () => unknown): void {
    if (this.hasRun) void this.attempt(close);
    else this.steps.push(close);
  }

  /** Closes everything, the newest first. Never rejects. */
  async run(): Promise<void> {
    this.hasRun = true;
    for (const close of this.steps.reverse()) await this.attempt(close);
  }

  private async attempt(close: () => unknown): Promise<void> {
    try {
      await close();
    } catch (error) {
      this.onError(error);
    }
  }
}
