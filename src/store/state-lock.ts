import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3, { type Database } from 'better-sqlite3';
import { SelvageError } from '../lib/errors.ts';
import { isBusy, isCorruption, stateUnavailable } from './sqlite-fault.ts';

/**
 * The right to write to a state directory, held by one process at a time: an exclusive SQLite transaction on the
 * empty `lock.db`, that is a POSIX lock, which the kernel drops when the process dies in whatever way.
 */
export class StateLock {
  readonly #database: Database;
  readonly #pidFile: string;

  private constructor(database: Database, pidFile: string) {
    this.#database = database;
    this.#pidFile = pidFile;
  }

  /** Takes the lock; throws STATE_IN_USE naming the process that has it, or STATE_UNAVAILABLE. */
  static acquire(stateDir: string): StateLock {
    const path = join(stateDir, 'lock.db');
    const pidFile = join(stateDir, 'agent.pid');
    try {
      const database = beginExclusive(path);
      notePid(pidFile);
      return new StateLock(database, pidFile);
    } catch (thrown) {
      throw isBusy(thrown) ? heldBy(stateDir, pidFile) : stateUnavailable(path, thrown);
    }
  }

  /** Gives the lock back. */
  release(): void {
    if (!this.#database.open) return;
    removePid(this.#pidFile);
    this.#database.close();
  }
}

function beginExclusive(path: string): Database {
  try {
    return tryExclusive(path);
  } catch (thrown) {
    if (!isCorruption(thrown)) throw thrown;
    // Nobody holds it (that would have been BUSY), so its content, which must be empty, can be put right.
    truncateSync(path);
    return tryExclusive(path);
  }
}

function tryExclusive(path: string): Database {
  const database = new BetterSqlite3(path, { timeout: 0 });
  try {
    // Nothing is ever written, so no journal file is wanted either.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** The number is only for the message to whoever comes second: the lock holds without it. */
function notePid(pidFile: string): void {
  removePid(pidFile);
  try {
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch {
    // A full disk.
  }
}

function removePid(pidFile: string): void {
  try {
    rmSync(pidFile, { force: true });
  } catch {
    // A file system that has become read-only.
  }
}

function heldBy(stateDir: string, pidFile: string): SelvageError {
  let pid = '';
  try {
    pid = readFileSync(pidFile, 'utf8').trim();
  } catch {
    // The holder could not write it, or has not yet.
  }
  const holder = /^\d+$/.test(pid) ? `another agent (process ${pid})` : 'another agent';
  return SelvageError.of('STATE_IN_USE', { path: stateDir, holder });
}
