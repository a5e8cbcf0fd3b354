import { setImmediate } from 'node:timers/promises';
import type { RequestDatabase } from './request-database.ts';
import type { Reserve } from './reserve.ts';
import { isDiskFull } from './sqlite-fault.ts';

/** Rows or pages in one step; a step blocks the event loop for a millisecond or two on a small board. */
const STEP_ROWS = 200;
const STEP_PAGES = 64;
/** Rows from further ahead than this were written while the clock was wrong. */
const FUTURE_MS = 60_000;
/** Kept below the size of the reserve, which may be all the room there is. */
const STEP_LOG_BYTES = 512 * 1024;
/** Deleting goes on to below the limit, so that the next rows do not start it again. */
const SIZE_TARGET = 0.9;
const DAY_MS = 86_400_000;

/** What is kept of the request log. */
export interface RetentionLimits {
  readonly maxAgeDays: number;
  readonly maxSizeMiB: number;
}

/** What retention does its work with. */
export interface RetentionOptions extends RetentionLimits {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly reserve: Reserve | undefined;
  /** Moves the write-ahead log into the file. */
  readonly checkpoint: () => Promise<void>;
  /** Waits until nothing else needs the database; false ends retention early. */
  readonly mayWrite: () => Promise<boolean>;
}

/** What retention did. */
export interface RetentionReport {
  readonly deletedRows: number;
  readonly sizeBytes: number;
}

/**
 * Deletes the rows older than `maxAgeDays`, then the oldest until the rest is below `maxSizeMiB`, and gives the
 * space back to the file system, yielding to the event loop after every small step. A row whose time is in the
 * future is given the present time first, so that it ages from now on. Throws SQLite's error where a step fails.
 */
export async function applyRetention(
  database: RequestDatabase,
  options: RetentionOptions,
): Promise<RetentionReport> {
  const { now, maxAgeDays, maxSizeMiB } = options;
  const before = now - maxAgeDays * DAY_MS;
  const maxBytes = maxSizeMiB * 1024 * 1024;
  const targetBytes = database.usedBytes() > maxBytes ? maxBytes * SIZE_TARGET : maxBytes;

  await repeat(database, options, () => database.capFuture(now, now + FUTURE_MS, STEP_ROWS));
  let deletedRows = await repeat(database, options, () => database.deleteBefore(before, STEP_ROWS));
  deletedRows += await repeat(database, options, () =>
    database.usedBytes() > targetBytes ? database.deleteOldest(STEP_ROWS) : 0,
  );
  await repeat(database, options, () => database.vacuum(STEP_PAGES));
  if (await options.mayWrite()) await options.checkpoint();
  await options.reserve?.ensure();
  return { deletedRows, sizeBytes: database.fileBytes() };
}

/** Repeats a step until it finds nothing more to do; returns the sum of what the steps returned. */
async function repeat(
  database: RequestDatabase,
  options: RetentionOptions,
  step: () => number,
): Promise<number> {
  let total = 0;
  while (await options.mayWrite()) {
    const done = onReserve(step, options.reserve);
    if (done === 0) break;
    total += done;
    if (database.walBytes() > STEP_LOG_BYTES) await options.checkpoint();
    await setImmediate();
  }
  return total;
}

function onReserve(step: () => number, reserve: Reserve | undefined): number {
  try {
    return step();
  } catch (thrown) {
    if (!isDiskFull(thrown) || reserve?.release() !== true) throw thrown;
    return step();
  }
}
