import type { TableContext } from './table.ts';

/** Hardware reports that are kept, one for each fingerprint. */
const KEPT = 10;

/** A hardware report as it was taken. */
export interface ProbeRow {
  /** Fingerprint of the hardware; measurements refer to it. */
  readonly fingerprint: string;
  /** The report of `selvage probe --json`, as plain JSON. */
  readonly report: unknown;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface StoredProbe {
  fingerprint: string;
  report: string;
  at: number;
}

/** The hardware reports of the last ten machines this state directory has been on; usually one. */
export class ProbesTable {
  readonly #context: TableContext;
  readonly #latest;
  readonly #put;
  readonly #prune;

  constructor(context: TableContext) {
    const { database } = context;
    this.#context = context;
    // By order of writing, not by time: the clock may have been set back in between.
    this.#latest = database.prepare<[], StoredProbe>(
      'SELECT fingerprint, report, at FROM probes ORDER BY id DESC LIMIT 1',
    );
    this.#put = database.prepare<[StoredProbe]>(
      'INSERT OR REPLACE INTO probes (fingerprint, report, at) VALUES (:fingerprint, :report, :at)',
    );
    this.#prune = database.prepare<[number]>(
      'DELETE FROM probes WHERE id NOT IN (SELECT id FROM probes ORDER BY id DESC LIMIT ?)',
    );
  }

  /** The report recorded last. */
  latest(): ProbeRow | undefined {
    const stored = this.#context.run(() => this.#latest.get());
    return stored === undefined ? undefined : { ...stored, report: JSON.parse(stored.report) as unknown };
  }

  /** Records a report in place of the last one of the same fingerprint. */
  record(row: ProbeRow): void {
    const write = this.#context.database.transaction(() => {
      this.#put.run({ ...row, report: JSON.stringify(row.report) });
      this.#prune.run(KEPT);
    });
    this.#context.run(write);
  }
}
