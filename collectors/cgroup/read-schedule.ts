/**
 * Decides which of a container's files are read in a round. Most containers of most hosts are at rest most of
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
 * While it is at rest. Fields that move only in an active container are still read now and then: the kernel
 * writes its dirty pages, and scans its memory for what it can free.
 */
const WHILE_STILL: Omit<Intervals, 'rules'> = { setting: 30, rare: 30, active: 6 };

export class ReadSchedule {
  /** Whether everything is due, whatever the round: the container is new, or its settings have changed. */
  isEverythingDue = true;
  /**
   * Whether nothing has happened in the container since the round before the last one. The kernel adds some
   * counters up late, memory.stat for example, so files are read once more after the container has come to
   * rest.
   */
  isStill = false;
  /** Whether the container came to rest in this round. */
  private hasJustComeToRest = false;
  private wasUnchanged = false;
  private readonly whileActive: Intervals;
  private readonly whileStill: Intervals;
  private round: number;

  /**
   * @param rulesEvery fields that only rules use are read in every n-th round
   * @param firstRound number of the first round: with different ones, containers are not all due in the same
   *   round
   */
  constructor(rulesEvery: number, firstRound: number) {
    this.whileActive = { ...WHILE_ACTIVE, rules: rulesEvery };
    this.whileStill = { ...WHILE_STILL, rules: rulesEvery };
    this.round = firstRound;
  }

  /** @param isUnchanged whether CPU time and memory usage are those of the last round */
  updateActivity(isUnchanged: boolean): void {
    this.hasJustComeToRest = isUnchanged && this.wasUnchanged && !this.isStill;
    this.isStill = isUnchanged && this.wasUnchanged;
    this.wasUnchanged = isUnchanged;
  }

  isDue(cadence: Cadence | undefined): boolean {
    if (this.isEverythingDue || cadence === undefined) return true;
    // A field that moves rarely may have moved before the container came to rest.
    if (this.hasJustComeToRest && cadence === 'rare') return true;
    return this.round % (this.isStill ? this.whileStill : this.whileActive)[cadence] === 0;
  }

  /**
   * Tables without lines are read in every sixth round also at rest: the kernel writes a container's pages
   * late.
   */
  get areEmptyTablesDue(): boolean {
    return this.isEverythingDue || this.round % WHILE_ACTIVE.rare === 0;
  }

  endRound(): void {
    this.round++;
    this.isEverythingDue = false;
  }
}
