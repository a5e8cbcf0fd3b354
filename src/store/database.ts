import { statSync } from 'node:fs';
import BetterSqlite3, { type Database } from 'better-sqlite3';
import { SelvageError } from '../lib/errors.ts';
import { type Migration, migrate, schemaVersion } from './migrations.ts';
import type { Reserve } from './reserve.ts';
import { type SetAside, setAside } from './set-aside.ts';
import { isCorruption, isDiskFull, stateUnavailable } from './sqlite-fault.ts';

/** Up to this size the whole file is checked at start; it takes about 2 ms a MiB on a small board. */
const CHECKED_BYTES = 8 * 1024 * 1024;

/** How a database is opened. */
export interface OpenOptions {
  /** The file; `:memory:` for none. */
  readonly path: string;
  readonly migrations: readonly Migration[];
  /** `FULL`: what is committed survives a power cut. `NORMAL`: it survives a crash, the file survives both. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** How long a statement waits for another process's lock, in milliseconds; this blocks the event loop. */
  readonly busyTimeoutMs: number;
  /** Whether deleted rows can give their space back to the file system by `PRAGMA incremental_vacuum`. */
  readonly incrementalVacuum?: boolean;
  /** Freed where the disk is too full to open the database. */
  readonly reserve?: Reserve | undefined;
  /** Told when the file was damaged, was moved aside, and a new one begun. */
  readonly onSetAside?: ((event: SetAside) => void) | undefined;
}

/**
 * Opens a database (WAL, foreign keys, little memory) and takes its schema to the newest version. A damaged file is
 * moved aside and a new one begun. Throws STATE_UNAVAILABLE where the file cannot be used or is of a newer version.
 */
export function openDatabase(options: OpenOptions): Database {
  try {
    return openChecked(options);
  } catch (thrown) {
    if (!makeWay(options, thrown)) throw stateUnavailable(options.path, thrown);
  }
  try {
    return openChecked(options);
  } catch (thrown) {
    throw stateUnavailable(options.path, thrown);
  }
}

/**
 * Opens an existing database for reading beside the agent that writes it. Throws STATE_UNAVAILABLE where it is
 * missing, unreadable, or of another version than this Selvage's.
 */
export function openDatabaseReadOnly(path: string, migrations: readonly Migration[]): Database {
  let database: Database | undefined;
  try {
    database = new BetterSqlite3(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    keepMemorySmall(database);
    const version = schemaVersion(database);
    if (version === migrations.length) return database;
    throw wrongVersion(path, version, migrations.length);
  } catch (thrown) {
    database?.close();
    throw stateUnavailable(path, thrown);
  }
}

/** Does what can be done about a failed opening; false where nothing can. */
function makeWay(options: OpenOptions, thrown: unknown): boolean {
  if (isDiskFull(thrown)) return options.reserve?.release() ?? false;
  if (!isCorruption(thrown)) return false;
  const reason = stateUnavailable(options.path, thrown).message;
  try {
    const movedTo = setAside(options.path);
    options.onSetAside?.({ path: options.path, movedTo, reason });
    return true;
  } catch (moving) {
    throw stateUnavailable(options.path, moving);
  }
}

function openChecked(options: OpenOptions): Database {
  const database = new BetterSqlite3(options.path, { timeout: options.busyTimeoutMs });
  try {
    // Takes effect only before the first table is made, and only before WAL.
    if (options.incrementalVacuum === true) database.pragma('auto_vacuum = INCREMENTAL');
    const version = schemaVersion(database);
    if (version > options.migrations.length) {
      throw wrongVersion(options.path, version, options.migrations.length);
    }
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${options.synchronous}`);
    database.pragma('foreign_keys = ON');
    // Without a limit the log keeps the size of its largest transaction for ever.
    database.pragma(`journal_size_limit = ${1024 * 1024}`);
    keepMemorySmall(database);
    checkIntegrity(database, options.path);
    migrate(database, options.migrations);
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function keepMemorySmall(database: Database): void {
  database.pragma('cache_size = -512');
  database.pragma('mmap_size = 0');
  database.pragma('temp_store = MEMORY');
}

function checkIntegrity(database: Database, path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > CHECKED_BYTES) return;
  const found = database.pragma('quick_check(1)', { simple: true });
  if (found !== 'ok') throw new BetterSqlite3.SqliteError(String(found), 'SQLITE_CORRUPT');
}

function wrongVersion(path: string, found: number, known: number): SelvageError {
  const problem =
    found > known
      ? `was written by a newer Selvage (schema ${found}, this one knows up to ${known}); install that version again or move the file away`
      : `has schema ${found}, this Selvage reads schema ${known}; start the agent once to bring it up to date`;
  return SelvageError.of('STATE_UNAVAILABLE', { path, problem });
}
