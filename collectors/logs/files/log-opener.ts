/** Opens the files of one container's log: at its end, at a position, or the next after a file that was read. */
import { closeSync, openSync } from 'node:fs';
import type { LogPosition } from '../../records/records.ts';
import {
  endPosition,
  findUnreadFiles,
  type Generation,
  openGeneration,
  RenamedError,
  type UnreadFiles,
} from './generations.ts';

export interface LogOpenerOptions {
  readonly path: string;
  readonly position: LogPosition;
  /** A descriptor of the current file, where it was opened early; the opener closes it. */
  readonly earlyDescriptor?: number | undefined;
  /** Called when a compressed file is damaged; what could be unpacked is read. */
  readonly onError: (error: unknown) => void;
}

/** Where reading starts, or continues: the files from there on, the first of them open. */
export interface OpenedLog {
  readonly descriptor: number;
  readonly offset: number;
  readonly following: readonly Generation[];
  /** Whether the position was found. If not, lines up to its time may come again. */
  readonly isPositionFound: boolean;
}

export class LogOpener {
  private readonly options: LogOpenerOptions;
  private earlyDescriptor: number | undefined;

  constructor(options: LogOpenerOptions) {
    this.options = options;
    this.earlyDescriptor = options.earlyDescriptor;
  }

  /** Opens the current file, and moves the position to its end. @throws what opening throws */
  openAtEnd(): OpenedLog {
    const { path, position } = this.options;
    const descriptor = openSync(path, 'r');
    Object.assign(position, endPosition(descriptor));
    return { descriptor, offset: position.offset, following: [], isPositionFound: true };
  }

  /** @throws {RenamedError} when the files are renamed meanwhile; whatever else opening throws */
  async openAtPosition(): Promise<OpenedLog> {
    const { generations, offset, isPositionFound } = await this.findFiles();
    const [first, ...following] = generations;
    return { descriptor: await this.openFirst(first), offset, following, isPositionFound };
  }

  /**
   * Opens the file after one that was read to its end; undefined where there is none.
   * @param following the files after it, where they are known
   * @param reached the position at its end
   * @param identity of the file that was read
   * @throws {RenamedError} when the files are renamed meanwhile; whatever else opening throws
   */
  async openNext(
    following: readonly Generation[],
    reached: LogPosition,
    identity: string,
  ): Promise<OpenedLog | undefined> {
    let files = following;
    let isPositionFound = true;
    if (following.length === 0) {
      const unread = await findUnreadFiles(this.options.path, reached, identity);
      ({ isPositionFound } = unread);
      files = isPositionFound ? unread.generations.slice(1) : unread.generations;
    }
    const [next, ...rest] = files;
    if (next === undefined) return undefined;
    const descriptor = await openGeneration(next, this.options.onError);
    return { descriptor, offset: 0, following: rest, isPositionFound };
  }

  /** Closes the early descriptor. */
  close(): void {
    if (this.earlyDescriptor !== undefined) closeSync(this.earlyDescriptor);
    this.earlyDescriptor = undefined;
  }

  /** What there is to read; nothing but the early descriptor, where the files are gone already. */
  private async findFiles(): Promise<UnreadFiles> {
    const { path, position } = this.options;
    try {
      return await findUnreadFiles(path, position);
    } catch (error) {
      // Files that are only renamed still exist, and the early descriptor is of the last of them.
      if (this.earlyDescriptor === undefined || error instanceof RenamedError) throw error;
      return { generations: [], offset: 0, isPositionFound: true };
    }
  }

  /** Opens the oldest file, or, where it was removed meanwhile, returns the early descriptor. */
  private async openFirst(generation: Generation | undefined): Promise<number> {
    const { path, onError } = this.options;
    try {
      return generation === undefined ? openSync(path, 'r') : await openGeneration(generation, onError);
    } catch (error) {
      const { earlyDescriptor } = this;
      if (earlyDescriptor === undefined || error instanceof RenamedError) throw error;
      this.earlyDescriptor = undefined;
      return earlyDescriptor;
    }
  }
}
