/**
 * How far each source was handed over, kept in the data directory so that a restarted agent goes on from
 * there. Positions are gathered in memory and written together: one lost with the process only means that
 * what came after it is read again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { TextStore } from '../../collectors/records/collector.ts';

const WRITE_AFTER_MS = 50;
/** How long another process's lock is waited for. */
const BUSY_MS = 250;

export class Positions implements TextStore {
  private readonly onFault: (error: unknown) => void;
  private readonly database: DatabaseSync;
  private readonly upsert: StatementSync;
  private readonly remove: StatementSync;
  private readonly known: Map<string, string>;
  /** Changes not yet written; undefined stands for a deletion. */
  private readonly changed = new Map<string, string | undefined>();
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param onFault told when positions cannot be written for now
   * @param directory the data directory, made when it is missing; undefined keeps positions in memory only
   * @throws when the directory cannot be written
   */
  constructor(directory: string | undefined, onFault: (error: unknown) => void) {
    this.onFault = onFault;
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
    this.known = new Map(rows.map(({ source, value }) => [source, value]));
  }

  /** What follows `prefix` in the sources that there are. */
  idsUnder(prefix: string): string[] {
    return [...this.known.keys()]
      .filter((source) => source.startsWith(prefix))
      .map((source) => source.slice(prefix.length));
  }

  load(source: string): string | undefined {
    return this.known.get(source);
  }

  save(source: string, value: string): void {
    this.known.set(source, value);
    this.change(source, value);
  }

  delete(source: string): void {
    if (this.known.delete(source)) this.change(source, undefined);
  }

  /** A part of its own. @param prefix of the sources in it */
  section(prefix: string): TextStore {
    return {
      idsUnder: (below) => this.idsUnder(prefix + below),
      load: (source) => this.load(prefix + source),
      save: (source, value) => this.save(prefix + source, value),
      delete: (source) => this.delete(prefix + source),
    };
  }

  close(): void {
    this.write();
    // What is still told of afterwards is told again by whoever comes next.
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
      // A full disk, or somebody else's lock: what could not be written is written with what comes next.
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      this.onFault(error);
    }
  }
}
