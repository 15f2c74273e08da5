/**
 * The position store: how far each source was delivered, so that a restarted agent continues there. Positions are collected
 * in memory and written together. If the process dies before that, what follows the last written position is read again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { TextStore } from '../../collectors/records/collector.ts';

const WRITE_AFTER_MS = 50;
/** How long a write waits for the lock of another process. */
const BUSY_MS = 250;

export class Positions implements TextStore {
  private readonly onError: (error: unknown) => void;
  private readonly database: DatabaseSync;
  private readonly upsert: StatementSync;
  private readonly remove: StatementSync;
  private readonly values: Map<string, string>;
  /** Changes that are not written yet; undefined for a deletion. */
  private readonly changed = new Map<string, string | undefined>();
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param directory the data directory, created if it is missing; undefined keeps positions in memory only
   * @param onError called when positions cannot be written for now
   * @throws when the directory cannot be written
   */
  constructor(directory: string | undefined, onError: (error: unknown) => void) {
    this.onError = onError;
    if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.database = new DatabaseSync(directory === undefined ? ':memory:' : join(directory, 'positions.db'), {
      timeout: BUSY_MS,
    });
    this.database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS position (source TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    `);
    this.upsert = this.database.prepare(
      'INSERT INTO position VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET value = excluded.value',
    );
    this.remove = this.database.prepare('DELETE FROM position WHERE source = ?');
    const rows = this.database.prepare('SELECT source, value FROM position').all() as {
      source: string;
      value: string;
    }[];
    this.values = new Map(rows.map(({ source, value }) => [source, value]));
  }

  /** The sources that start with `prefix`, without it. */
  idsUnder(prefix: string): string[] {
    return [...this.values.keys()]
      .filter((source) => source.startsWith(prefix))
      .map((source) => source.slice(prefix.length));
  }

  load(source: string): string | undefined {
    return this.values.get(source);
  }

  save(source: string, value: string): void {
    this.values.set(source, value);
    this.change(source, value);
  }

  delete(source: string): void {
    if (this.values.delete(source)) this.change(source, undefined);
  }

  /** A part of the store. @param prefix of its sources */
  section(prefix: string): TextStore {
    return {
      idsUnder: (inner) => this.idsUnder(prefix + inner),
      load: (source) => this.load(prefix + source),
      save: (source, value) => this.save(prefix + source, value),
      delete: (source) => this.delete(prefix + source),
    };
  }

  close(): void {
    this.write();
    // A change after this is lost: the next agent reads from the position before it.
    this.isClosed = true;
    clearTimeout(this.timer);
    this.database.close();
  }

  private change(source: string, value: string | undefined): void {
    if (this.isClosed) return;
    this.changed.set(source, value);
    this.timer ??= setTimeout(() => this.write(), WRITE_AFTER_MS);
  }

  private write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.changed.size === 0) return;
    try {
      this.database.exec('BEGIN IMMEDIATE');
      for (const [source, value] of this.changed) {
        if (value === undefined) this.remove.run(source);
        else this.upsert.run(source, value);
      }
      this.database.exec('COMMIT');
      this.changed.clear();
    } catch (error) {
      // A full disk, or another process's lock: the next write includes these changes.
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      this.onError(error);
    }
  }
}
