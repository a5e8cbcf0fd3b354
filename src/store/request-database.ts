import { closeSync, fdatasync, openSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Database } from 'better-sqlite3';
import { openDatabase } from './database.ts';
import { requestMigrations } from './migrations/requests.ts';
import type { RequestRow } from './request-row.ts';
import type { Reserve } from './reserve.ts';
import type { SetAside } from './set-aside.ts';

const fdatasyncAsync = promisify(fdatasync);

/** How requests.db is opened. */
export interface RequestDatabaseOptions {
  readonly path: string;
  readonly reserve: Reserve | undefined;
  readonly onSetAside: (event: SetAside) => void;
}

/**
 * requests.db as the agent writes it. It keeps what `synchronous=NORMAL` promises (a power cut may take the newest
 * rows, never the file) without an fsync on the event loop: SQLite runs with `synchronous=OFF` and `checkpoint`
 * does the syncs in between through the thread pool.
 */
export class RequestDatabase {
  readonly #database: Database;
  readonly #path: string;
  /**
   * For syncing. Closing any descriptor of a file drops the process's POSIX locks on it, SQLite's too
   * (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_),
   * so these stay open until the database is closed.
   */
  readonly #descriptors: readonly [file: number, log: number];
  readonly #insert;
  readonly #deleteOldest;
  readonly #deleteBefore;
  readonly #capFuture;

  constructor({ path, reserve, onSetAside }: RequestDatabaseOptions) {
    this.#path = path;
    this.#database = openDatabase({
      path,
      migrations: requestMigrations,
      synchronous: 'NORMAL',
      // The agent is the only writer and readers do not block it: what is busy is tried again later.
      busyTimeoutMs: 0,
      incrementalVacuum: true,
      reserve,
      onSetAside,
    });
    try {
      this.#database.pragma('wal_autocheckpoint = 0');
      this.#truncateLog();
      this.#descriptors = [openSync(path, 'r'), openSync(`${path}-wal`, 'r')];
      this.#insert = this.#database.prepare(`
        INSERT INTO requests (at, requestId, model, variant, source, status, latencyUs, queueUs, batch, error)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
      this.#deleteOldest = this.#database.prepare<[number]>(
        'DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY id LIMIT ?)',
      );
      this.#deleteBefore = this.#database.prepare<[number, number]>(
        'DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at < ? ORDER BY at LIMIT ?)',
      );
      this.#capFuture = this.#database.prepare<[number, number, number]>(
        'UPDATE requests SET at = ? WHERE id IN (SELECT id FROM requests WHERE at > ? LIMIT ?)',
      );
    } catch (thrown) {
      this.#database.close();
      throw thrown;
    }
  }

  /** Writes rows from the front in one transaction until `budgetMs` is used up; returns how many. */
  insert(rows: readonly RequestRow[], budgetMs: number): number {
    const begin = performance.now();
    let count = 0;
    this.#database.transaction(() => {
      for (const row of rows) {
        const { at, requestId, model, variant, source, status, latencyUs, queueUs, batch, error } = row;
        this.#insert.run(at, requestId, model, variant, source, status, latencyUs, queueUs, batch, error);
        count += 1;
        if (count % 16 === 0 && performance.now() - begin > budgetMs) break;
      }
    })();
    return count;
  }

  /** Deletes up to `limit` of the rows written first; returns how many. */
  deleteOldest(limit: number): number {
    return this.#deleteOldest.run(limit).changes;
  }

  /** Deletes up to `limit` rows from before a time (milliseconds since the epoch); returns how many. */
  deleteBefore(atMs: number, limit: number): number {
    return this.#deleteBefore.run(atMs, limit).changes;
  }

  /** Gives up to `limit` rows from after a time the time `nowMs`; returns how many. */
  capFuture(nowMs: number, afterMs: number, limit: number): number {
    return this.#capFuture.run(nowMs, afterMs, limit).changes;
  }

  /** Gives up to `pages` unused pages back to the file system; returns how many. */
  vacuum(pages: number): number {
    const before = this.#number('page_count');
    this.#database.pragma(`incremental_vacuum(${pages})`);
    return before - this.#number('page_count');
  }

  /** Bytes in use by rows and their index. */
  usedBytes(): number {
    return (this.#number('page_count') - this.#number('freelist_count')) * this.#number('page_size');
  }

  /** Bytes of the database file once the write-ahead log is in it. */
  fileBytes(): number {
    return this.#number('page_count') * this.#number('page_size');
  }

  /** Bytes of the write-ahead log. */
  walBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * Moves the write-ahead log into the database file and empties it. The order is the one of SQLite's own
   * checkpoint (log on the disk, pages copied, pages on the disk, log reset: https://www.sqlite.org/wal.html), with
   * the waiting done off the event loop. Nothing may be written meanwhile.
   */
  async checkpoint(): Promise<void> {
    const [file, log] = this.#descriptors;
    this.#database.pragma('synchronous = OFF');
    await fdatasyncAsync(log);
    this.#database.pragma('wal_checkpoint(PASSIVE)');
    await fdatasyncAsync(file);
    this.#truncateLog();
    await fdatasyncAsync(log);
  }

  /** Closes the database; what is committed is then in the file and on the disk. */
  close(): void {
    if (!this.#database.open) return;
    this.#database.pragma('synchronous = NORMAL');
    this.#database.close();
    for (const descriptor of this.#descriptors) closeSync(descriptor);
  }

  /**
   * Empties a log that is wholly in the database. While a reader prevents it, SQLite would start the log over from
   * its beginning, which is safe only when SQLite itself syncs the new header, so it is told to until then.
   */
  #truncateLog(): void {
    this.#database.pragma('synchronous = NORMAL');
    const [result] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    if (result?.busy === 0) this.#database.pragma('synchronous = OFF');
  }

  #number(pragma: string): number {
    return this.#database.pragma(pragma, { simple: true }) as number;
  }
}
