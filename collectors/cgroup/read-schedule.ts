/**
 * Decides which of a container's files are read in a round. Most containers of most hosts are idle most of
 * the time, and most fields change only while a process of the container runs.
 */
import type { Cadence } from '../catalogue/entry.ts';

/** A file of a cadence is read in every n-th round. */
type Intervals = Readonly<Record<Cadence, number>>;

/**
 * While the container is active. Settings such as limits are read when the daemon reports a change, and now
 * and then in case somebody wrote to the files.
 */
const WHILE_ACTIVE: Omit<Intervals, 'rules'> = { setting: 30, rare: 6, active: 1 };
/**
 * While the container is idle. Even then the kernel changes some fields: it writes dirty pages, and scans memory
 * for what it can free.
 */
const WHILE_IDLE: Omit<Intervals, 'rules'> = { setting: 30, rare: 30, active: 6 };

export class ReadSchedule {
  /** Whether everything is due, whatever the round: the container is new, or its settings have changed. */
  isEverythingDue = true;
  /**
   * Whether nothing has happened in the container since the round before the last one. The kernel updates some
   * counters late, for example in memory.stat. Files are therefore read once more when the container becomes idle.
   */
  isIdle = false;
  /** Whether the container became idle in this round. */
  private hasJustBecomeIdle = false;
  private wasUnchanged = false;
  private readonly whileActive: Intervals;
  private readonly whileIdle: Intervals;
  private round: number;

  /**
   * @param rulesEvery fields that only rules use are read in every n-th round
   * @param firstRound number of the first round: with different ones, containers are not all due in the same
   *   round
   */
  constructor(rulesEvery: number, firstRound: number) {
    this.whileActive = { ...WHILE_ACTIVE, rules: rulesEvery };
    this.whileIdle = { ...WHILE_IDLE, rules: rulesEvery };
    this.round = firstRound;
  }

  /** @param isUnchanged whether CPU time and memory usage are those of the last round */
  updateActivity(isUnchanged: boolean): void {
    this.hasJustBecomeIdle = isUnchanged && this.wasUnchanged && !this.isIdle;
    this.isIdle = isUnchanged && this.wasUnchanged;
    this.wasUnchanged = isUnchanged;
  }

  isDue(cadence: Cadence | undefined): boolean {
    if (this.isEverythingDue || cadence === undefined) return true;
    // A value that changes rarely may have changed before the container became idle.
    if (this.hasJustBecomeIdle && cadence === 'rare') return true;
    return this.round % (this.isIdle ? this.whileIdle : this.whileActive)[cadence] === 0;
  }

  /**
   * Tables without lines are read in every sixth round, also of an idle container: the kernel writes its pages late.
   */
  get areEmptyTablesDue(): boolean {
    return this.isEverythingDue || this.round % WHILE_ACTIVE.rare === 0;
  }

  endRound(): void {
    this.round++;
    this.isEverythingDue = false;
  }
}
