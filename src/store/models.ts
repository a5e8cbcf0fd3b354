import type { ModelSignature } from '../tensor/infer.ts';
import type { TableContext } from './table.ts';

/** An external data file of a model, by the relative name the model gives it. */
export interface ExternalFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of its content, lower-case hex. */
  readonly hash: string;
}

/** A model in the content-addressed store. */
export interface ModelRow {
  /** SHA-256 that names the model, lower-case hex; see `importModelFile`. */
  readonly hash: string;
  /** Model file and external data together. */
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly importedAt: number;
  readonly signature: ModelSignature;
  /** What else the file tells of itself (opset, producer, operators, …), as plain JSON. */
  readonly summary: Readonly<Record<string, unknown>>;
  readonly externalFiles: readonly ExternalFile[];
}

interface StoredModel {
  hash: string;
  sizeBytes: number;
  importedAt: number;
  signature: string;
  summary: string;
  externalFiles: string;
}

/** The imported models. */
export class ModelsTable {
  readonly #run: TableContext['run'];
  readonly #get;
  readonly #put;
  readonly #remove;
  readonly #list;

  constructor({ database, run }: TableContext) {
    this.#run = run;
    this.#get = database.prepare<[string], StoredModel>('SELECT * FROM models WHERE hash = ?');
    // Not INSERT OR REPLACE: that deletes the row first, and with it what refers to it.
    this.#put = database.prepare<[StoredModel]>(`
      INSERT INTO models (hash, sizeBytes, importedAt, signature, summary, externalFiles)
      VALUES (:hash, :sizeBytes, :importedAt, :signature, :summary, :externalFiles)
      ON CONFLICT (hash) DO UPDATE SET sizeBytes = :sizeBytes, importedAt = :importedAt,
        signature = :signature, summary = :summary, externalFiles = :externalFiles`);
    this.#remove = database.prepare<[string]>('DELETE FROM models WHERE hash = ?');
    this.#list = database.prepare<[], StoredModel>('SELECT * FROM models ORDER BY importedAt, hash');
  }

  /** The model with this hash. */
  get(hash: string): ModelRow | undefined {
    const stored = this.#run(() => this.#get.get(hash));
    return stored === undefined ? undefined : fromStored(stored);
  }

  /** Adds a model, or replaces what is known of it. */
  put(row: ModelRow): void {
    const stored = {
      ...row,
      signature: JSON.stringify(row.signature),
      summary: JSON.stringify(row.summary),
      externalFiles: JSON.stringify(row.externalFiles),
    };
    this.#run(() => this.#put.run(stored));
  }

  /** Removes a model with its sources and measurements. */
  remove(hash: string): void {
    this.#run(() => this.#remove.run(hash));
  }

  /** Every model, oldest first. */
  list(): ModelRow[] {
    return this.#run(() => this.#list.all()).map(fromStored);
  }
}

function fromStored(stored: StoredModel): ModelRow {
  return {
    ...stored,
    signature: JSON.parse(stored.signature) as ModelSignature,
    summary: JSON.parse(stored.summary) as ModelRow['summary'],
    externalFiles: JSON.parse(stored.externalFiles) as ExternalFile[],
  };
}
