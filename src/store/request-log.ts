import { join } from 'node:path';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { SelvageError } from '../lib/errors.ts';
import { RequestDatabase } from './request-database.ts';
import { applyRetention, type RetentionLimits, type RetentionReport } from './request-retention.ts';
import { type RequestRow, storableRow } from './request-row.ts';
import type { Reserve } from './reserve.ts';
import { type SetAside, setAside } from './set-aside.ts';
import { isCorruption, stateUnavailable } from './sqlite-fault.ts';

/** Rows that wait in memory at most; about 2 MB. */
const MAX_WAITING = 10_000;
const FLUSH_DELAY_MS = 100;
/** Pause between flushes while more rows wait than one may write. */
const CATCH_UP_DELAY_MS = 2;
/** Time in which one flush inserts rows; short, because requests wait meanwhile. */
const FLUSH_BUDGET_MS = 0.2;
const FLUSH_ROWS = 40;
/** Size and age of the write-ahead log at which it is moved into the database. */
const CHECKPOINT_BYTES = 2 * 1024 * 1024;
const CHECKPOINT_AFTER_MS = 5 * 60_000;
const FAULT_REPORT_MS = 60_000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** Something that keeps rows from being written. */
export interface RequestLogFault {
  readonly error: SelvageError;
  /** Faults since the last report, this one included. */
  readonly count: number;
  /** Rows dropped since the log was opened. */
  readonly dropped: number;
}

/** How the request log is opened. */
export interface RequestLogOptions {
  readonly stateDir: string;
  readonly limits: RetentionLimits;
  /** Freed where the disk is too full even to delete; `StateStore.reserve`. */
  readonly reserve?: Reserve | undefined;
  /** Told of faults, at most once a minute. */
  readonly onFault: (fault: RequestLogFault) => void;
  /** Told when requests.db was damaged, was moved aside, and a new one begun. */
  readonly onSetAside: (event: SetAside) => void;
  readonly clock?: Clock | undefined;
}

/** Counts since the log was opened. */
export interface RequestLogStatistics {
  readonly waiting: number;
  readonly written: number;
  /** Rows that found the memory full because the disk did not keep up or failed. */
  readonly dropped: number;
  readonly faults: number;
}

/**
 * The request log: rows gather in memory and are written to requests.db in batches, off the request path. No fault
 * of the disk reaches the caller: rows wait (the newest are dropped when 10,000 do), and writing goes on when it
 * can. A power cut may take the rows of the last minutes.
 */
export class RequestLog {
  readonly #options: RequestLogOptions;
  readonly #path: string;
  readonly #clock: Clock;
  #limits: RetentionLimits;
  #database: RequestDatabase | undefined;
  #waiting: RequestRow[] = [];
  #cancelTimer: (() => void) | undefined;
  /** The checkpoint under way; nothing may be written until it ends. */
  #checkpoint: Promise<void> | undefined;
  #checkpointedAt: number;
  #retention: Promise<RetentionReport> | undefined;
  #closed = false;
  #written = 0;
  #dropped = 0;
  #faults = 0;
  #reportedFaults = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #retryMs = FIRST_RETRY_MS;

  /** Opens the log; a fault is reported and opening is tried again with the next rows. */
  constructor(options: RequestLogOptions) {
    this.#options = options;
    this.#path = join(options.stateDir, 'requests.db');
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits;
    this.#checkpointedAt = this.#clock.monotonic();
    try {
      this.#open();
    } catch (thrown) {
      this.#fault(thrown);
    }
  }

  /** Takes a row; it is written within about 100 ms. Costs no input or output. */
  append(row: RequestRow): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(storableRow(row));
    this.#arm(FLUSH_DELAY_MS);
  }

  /** Changes age and size at the next retention, for a reload of the configuration. */
  setLimits(limits: RetentionLimits): void {
    this.#limits = limits;
  }

  statistics(): RequestLogStatistics {
    return {
      waiting: this.#waiting.length,
      written: this.#written,
      dropped: this.#dropped,
      faults: this.#faults,
    };
  }

  /**
   * Deletes rows beyond the limits of age and size in small steps and shrinks the file. Rejects with
   * STATE_UNAVAILABLE where the disk does not let it; runs once at a time.
   */
  applyRetention(): Promise<RetentionReport> {
    this.#retention ??= this.#retain().finally(() => {
      this.#retention = undefined;
    });
    return this.#retention;
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#retention?.catch(() => undefined);
    await this.#checkpoint;
    try {
      const database = this.#waiting.length > 0 ? this.#open() : this.#database;
      while (this.#waiting.length > 0) this.#insert(this.#open());
      database?.close();
    } catch (thrown) {
      this.#fault(thrown);
    }
    this.#database = undefined;
  }

  #arm(delayMs: number): void {
    if (this.#closed) return;
    this.#cancelTimer ??= this.#clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#checkpoint !== undefined || this.#waiting.length === 0) return;
    try {
      const database = this.#open();
      this.#insert(database);
      this.#retryMs = FIRST_RETRY_MS;
      if (this.#checkpointIsDue(database)) void this.#runCheckpoint(database);
    } catch (thrown) {
      this.#fault(thrown);
      this.#arm(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
      return;
    }
    if (this.#waiting.length > 0) this.#arm(CATCH_UP_DELAY_MS);
  }

  #insert(database: RequestDatabase): void {
    const count = database.insert(this.#waiting.slice(0, FLUSH_ROWS), FLUSH_BUDGET_MS);
    this.#waiting.splice(0, count);
    this.#written += count;
  }

  #checkpointIsDue(database: RequestDatabase): boolean {
    const old = this.#clock.monotonic() - this.#checkpointedAt > CHECKPOINT_AFTER_MS;
    return old || database.walBytes() > CHECKPOINT_BYTES;
  }

  /** Never rejects. */
  #runCheckpoint(database: RequestDatabase): Promise<void> {
    this.#checkpoint ??= database
      .checkpoint()
      .catch((thrown: unknown) => this.#fault(thrown))
      .then(() => {
        this.#checkpoint = undefined;
        this.#checkpointedAt = this.#clock.monotonic();
        this.#arm(CATCH_UP_DELAY_MS);
        this.#retainIfTooLarge(database);
      });
    return this.#checkpoint;
  }

  /** A busy machine can outgrow the limit long before retention is next scheduled. */
  #retainIfTooLarge(database: RequestDatabase): void {
    if (this.#closed || this.#retention !== undefined || database !== this.#database) return;
    if (database.usedBytes() > this.#limits.maxSizeMiB * 1024 * 1024) {
      // What goes wrong was reported as a fault.
      this.applyRetention().catch(() => undefined);
    }
  }

  async #retain(): Promise<RetentionReport> {
    try {
      const database = this.#open();
      return await applyRetention(database, {
        ...this.#limits,
        now: this.#clock.now(),
        reserve: this.#options.reserve,
        checkpoint: () => this.#runCheckpoint(database),
        mayWrite: async () => {
          await this.#checkpoint;
          return !this.#closed && this.#database === database;
        },
      });
    } catch (thrown) {
      this.#fault(thrown);
      throw stateUnavailable(this.#path, thrown);
    }
  }

  #open(): RequestDatabase {
    const { reserve, onSetAside } = this.#options;
    this.#database ??= new RequestDatabase({ path: this.#path, reserve, onSetAside });
    return this.#database;
  }

  #fault(thrown: unknown): void {
    this.#faults += 1;
    const error = stateUnavailable(this.#path, thrown);
    if (isCorruption(thrown)) this.#startOver(error);
    const now = this.#clock.monotonic();
    if (now - this.#reportedAt < FAULT_REPORT_MS) return;
    this.#options.onFault({ error, count: this.#faults - this.#reportedFaults, dropped: this.#dropped });
    this.#reportedAt = now;
    this.#reportedFaults = this.#faults;
  }

  #startOver(error: SelvageError): void {
    try {
      this.#database?.close();
    } catch {
      // A damaged file may not close cleanly; it is moved aside all the same.
    }
    this.#database = undefined;
    try {
      const movedTo = setAside(this.#path);
      this.#options.onSetAside({ path: this.#path, movedTo, reason: error.message });
    } catch {
      // The disk does not let it be moved: the next flush reports that.
    }
  }
}
