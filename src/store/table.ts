import type { Database } from 'better-sqlite3';

/** What a table needs of the store: the database to prepare statements on, and how to run them. */
export interface TableContext {
  readonly database: Database;
  /** Runs statements; a fault becomes STATE_UNAVAILABLE, and on a full disk they are tried again on the reserve. */
  readonly run: <Result>(work: () => Result) => Result;
}
