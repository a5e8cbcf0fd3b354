import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { openDatabase, openDatabaseReadOnly } from './database.ts';
import { MeasurementsTable } from './measurements.ts';
import { stateMigrations } from './migrations/state.ts';
import { ModelsTable } from './models.ts';
import { ProbesTable } from './probes.ts';
import { Reserve } from './reserve.ts';
import { SelectionsTable } from './selections.ts';
import type { SetAside } from './set-aside.ts';
import { SourcesTable } from './sources.ts';
import { isDiskFull, stateUnavailable } from './sqlite-fault.ts';
import { prepareStateDirectory } from './state-directory.ts';
import { StateLock } from './state-lock.ts';
import type { TableContext } from './table.ts';

/** How the agent opens its state. */
export interface StateStoreOptions {
  readonly stateDir: string;
  /** Told when state.db was damaged, was moved aside, and a new one begun. */
  readonly onSetAside: (event: SetAside) => void;
}

interface Parts {
  readonly database: Database;
  readonly path: string;
  readonly lock?: StateLock;
  readonly reserve?: Reserve;
}

/**
 * state.db: what must survive a power cut. Every write is on the disk when its method returns, which takes one
 * fsync (microseconds on an SSD, tens of milliseconds on an SD card) and blocks meanwhile: never write per request.
 * Every method throws STATE_UNAVAILABLE where the disk does not let it.
 */
export class StateStore {
  readonly sources: SourcesTable;
  readonly models: ModelsTable;
  readonly measurements: MeasurementsTable;
  readonly selections: SelectionsTable;
  readonly probes: ProbesTable;
  /** Space set aside for a full disk: call its `ensure` at start and after retention; none where nothing is written. */
  readonly reserve: Reserve | undefined;
  readonly #parts: Parts;
  #running = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.reserve = parts.reserve;
    const context: TableContext = { database: parts.database, run: (work) => this.#run(work) };
    this.sources = new SourcesTable(context);
    this.models = new ModelsTable(context);
    this.measurements = new MeasurementsTable(context);
    this.selections = new SelectionsTable(context);
    this.probes = new ProbesTable(context);
  }

  /**
   * Opens the state for the agent: creates the directory, takes the lock on it (one agent a directory) and brings
   * the schema up to date. Throws STATE_UNAVAILABLE, and STATE_IN_USE where another agent has it.
   */
  static open({ stateDir, onSetAside }: StateStoreOptions): StateStore {
    prepareStateDirectory(stateDir);
    const path = join(stateDir, 'state.db');
    const reserve = new Reserve(stateDir);
    const lock = StateLock.acquire(stateDir);
    try {
      const database = openDatabase({
        path,
        migrations: stateMigrations,
        synchronous: 'FULL',
        busyTimeoutMs: 2000,
        reserve,
        onSetAside,
      });
      return new StateStore({ database, path, lock, reserve });
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  /** Opens the state for reading while an agent may be running; writes throw. Throws STATE_UNAVAILABLE. */
  static openReadOnly(stateDir: string): StateStore {
    const path = join(stateDir, 'state.db');
    return new StateStore({ database: openDatabaseReadOnly(path, stateMigrations), path });
  }

  /** An empty store that is gone with the process: lets the agent serve while its state directory is unusable. */
  static inMemory(): StateStore {
    const path = ':memory:';
    const options = { path, migrations: stateMigrations, synchronous: 'FULL', busyTimeoutMs: 0 } as const;
    return new StateStore({ database: openDatabase(options), path });
  }

  /** Runs several writes as one: all of them are kept or, when `work` throws, none. */
  transaction<Result>(work: () => Result): Result {
    return this.#run(this.#parts.database.transaction(work));
  }

  /** Closes the database and gives the lock back; further calls throw. */
  close(): void {
    this.#parts.database.close();
    this.#parts.lock?.release();
  }

  #run<Result>(work: () => Result): Result {
    // Within a transaction the outer call answers for faults: only the whole can be tried again.
    if (this.#running) return work();
    this.#running = true;
    try {
      return this.#runOnReserve(work);
    } catch (thrown) {
      throw isOwnFault(thrown) ? stateUnavailable(this.#parts.path, thrown) : thrown;
    } finally {
      this.#running = false;
    }
  }

  #runOnReserve<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (thrown) {
      if (isDiskFull(thrown) && this.reserve?.release() === true) return work();
      throw thrown;
    }
  }
}

/** Whether SQLite threw it; what a caller's `transaction` callback throws passes unchanged. */
function isOwnFault(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'SqliteError';
}
