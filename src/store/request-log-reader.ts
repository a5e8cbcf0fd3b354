import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { openDatabaseReadOnly } from './database.ts';
import { requestMigrations } from './migrations/requests.ts';
import type { RequestRow } from './request-row.ts';
import { stateUnavailable } from './sqlite-fault.ts';

const MAX_ROWS = 100_000;

/** Which rows of the request log are wanted. */
export interface RequestQuery {
  /** Only rows of this time or later, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly model?: string | undefined;
  /** Rows at most, 1 to 100,000. */
  readonly limit: number;
}

/** Reads the request log beside a running agent; for a process of its own, since a query can take long. */
export class RequestLogReader {
  readonly #path: string;
  readonly #database: Database;

  /** Opens requests.db of a state directory; throws STATE_UNAVAILABLE. */
  constructor(stateDir: string) {
    this.#path = join(stateDir, 'requests.db');
    this.#database = openDatabaseReadOnly(this.#path, requestMigrations);
  }

  /** The rows that match, newest first. */
  query({ since = 0, model, limit }: RequestQuery): RequestRow[] {
    const rows = Math.max(1, Math.min(limit, MAX_ROWS));
    try {
      return this.#database
        .prepare<[{ since: number; model: string | null; rows: number }], RequestRow>(`
          SELECT at, requestId, model, variant, source, status, latencyUs, queueUs, batch, error
          FROM requests WHERE at >= :since AND (:model IS NULL OR model = :model)
          ORDER BY at DESC, id DESC LIMIT :rows`)
        .all({ since, model: model ?? null, rows });
    } catch (thrown) {
      throw stateUnavailable(this.#path, thrown);
    }
  }

  close(): void {
    this.#database.close();
  }
}
