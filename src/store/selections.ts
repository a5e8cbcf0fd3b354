import type { TableContext } from './table.ts';

/** Which variant serves a model, and why. */
export interface Selection {
  /** Name of the model in the configuration. */
  readonly model: string;
  readonly variant: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The last selection for each model. */
export class SelectionsTable {
  readonly #run: TableContext['run'];
  readonly #get;
  readonly #put;
  readonly #remove;
  readonly #list;

  constructor({ database, run }: TableContext) {
    this.#run = run;
    this.#get = database.prepare<[string], Selection>('SELECT * FROM selections WHERE model = ?');
    this.#put = database.prepare<[Selection]>(
      'INSERT OR REPLACE INTO selections (model, variant, reason, at) VALUES (:model, :variant, :reason, :at)',
    );
    this.#remove = database.prepare<[string]>('DELETE FROM selections WHERE model = ?');
    this.#list = database.prepare<[], Selection>('SELECT * FROM selections ORDER BY model');
  }

  /** The selection for a model. */
  get(model: string): Selection | undefined {
    return this.#run(() => this.#get.get(model));
  }

  /** Records a selection in place of the model's last one. */
  put(selection: Selection): void {
    this.#run(() => this.#put.run(selection));
  }

  /** Forgets the selection of a model that is no longer configured. */
  remove(model: string): void {
    this.#run(() => this.#remove.run(model));
  }

  /** Every selection, by model. */
  list(): Selection[] {
    return this.#run(() => this.#list.all());
  }
}
