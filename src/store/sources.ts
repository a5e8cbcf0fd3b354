import { changedAtMs, type FileIdentity, fileIdentity, identityKey } from '../lib/file-identity.ts';
import type { TableContext } from './table.ts';

/**
 * A file changed again within this time can look the same as before, as file systems count time in steps (2 s on
 * FAT, a timer tick on ext4); git's documentation calls it "racy".
 */
const RACY_MS = 2000;

/** A source file of the configuration with what was imported from it. */
export interface SourceRow {
  /** Absolute path, as the configuration gives it. */
  readonly path: string;
  /** Hash of the model imported from it. */
  readonly hash: string;
  /** The model file first, then its external data files, as they were while they were read. */
  readonly files: readonly FileIdentity[];
  /** When they were read, in milliseconds since the epoch. */
  readonly checkedAt: number;
}

interface StoredSource {
  path: string;
  hash: string;
  files: string;
  checkedAt: number;
}

/** Which model a source file holds, remembered so that an unchanged one is not hashed again at each start. */
export class SourcesTable {
  readonly #run: TableContext['run'];
  readonly #find;
  readonly #put;
  readonly #remove;
  readonly #list;

  constructor({ database, run }: TableContext) {
    this.#run = run;
    this.#find = database.prepare<[string], StoredSource>('SELECT * FROM sources WHERE path = ?');
    this.#put = database.prepare<[StoredSource]>(
      'INSERT OR REPLACE INTO sources (path, hash, files, checkedAt) VALUES (:path, :hash, :files, :checkedAt)',
    );
    this.#remove = database.prepare<[string]>('DELETE FROM sources WHERE path = ?');
    this.#list = database.prepare<[], StoredSource>('SELECT * FROM sources ORDER BY path');
  }

  /** What is remembered of a source, whether or not it still holds. */
  find(path: string): SourceRow | undefined {
    const stored = this.#run(() => this.#find.get(path));
    return stored === undefined ? undefined : fromStored(stored);
  }

  /**
   * The hash of the model that the source still holds: undefined where it is unknown, where a file of it changed, and
   * where a file had changed less than 2 s before it was read, since a further change could then not be seen.
   */
  async unchangedHash(path: string): Promise<string | undefined> {
    const row = this.find(path);
    if (row === undefined || row.files.length === 0 || isRacy(row)) return undefined;
    for (const recorded of row.files) {
      const present = await fileIdentity(recorded.path);
      if (present === undefined || identityKey(present) !== identityKey(recorded)) return undefined;
    }
    return row.hash;
  }

  /** Remembers a source; its model must be in the models table. */
  remember(row: SourceRow): void {
    this.#run(() => this.#put.run({ ...row, files: JSON.stringify(row.files) }));
  }

  /** Forgets a source. */
  forget(path: string): void {
    this.#run(() => this.#remove.run(path));
  }

  /** Every source, by path. */
  list(): SourceRow[] {
    return this.#run(() => this.#list.all()).map(fromStored);
  }
}

function isRacy({ files, checkedAt }: SourceRow): boolean {
  return files.some((file) => changedAtMs(file) > checkedAt - RACY_MS);
}

function fromStored(stored: StoredSource): SourceRow {
  return { ...stored, files: JSON.parse(stored.files) as FileIdentity[] };
}
