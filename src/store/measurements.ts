import type { TableContext } from './table.ts';

/** How the runtime was set while it was measured. */
export interface RunSettings {
  /** Intra-op threads. */
  readonly threads: number;
  /** Execution provider, such as `cpu`. */
  readonly provider: string;
}

/** Everything a measurement depends on. */
export interface MeasurementKey {
  /** Hash of the model. */
  readonly model: string;
  readonly settings: RunSettings;
  /** Fingerprint of the hardware. */
  readonly hardware: string;
  /** Version of the runtime. */
  readonly runtime: string;
}

/** What was measured of one model, set so, on this hardware and runtime. */
export interface Measurement extends MeasurementKey {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly meanMs: number;
  readonly iterations: number;
  /** Resident memory of the process that ran it. */
  readonly rssBytes: number;
  readonly loadMs: number;
  /** Milliseconds since the epoch. */
  readonly measuredAt: number;
}

interface StoredMeasurement extends Omit<Measurement, 'settings'> {
  readonly settings: string;
}

type KeyParams = [{ model: string; settings: string; hardware: string; runtime: string }];

/** Measurements, one for each thing they depend on; a newer one replaces the older. */
export class MeasurementsTable {
  readonly #run: TableContext['run'];
  readonly #find;
  readonly #put;
  readonly #list;

  constructor({ database, run }: TableContext) {
    this.#run = run;
    this.#find = database.prepare<KeyParams, StoredMeasurement>(`
      SELECT * FROM measurements
      WHERE model = :model AND settings = :settings AND hardware = :hardware AND runtime = :runtime`);
    this.#put = database.prepare<[StoredMeasurement]>(`
      INSERT OR REPLACE INTO measurements (model, settings, hardware, runtime,
        p50Ms, p95Ms, meanMs, iterations, rssBytes, loadMs, measuredAt)
      VALUES (:model, :settings, :hardware, :runtime,
        :p50Ms, :p95Ms, :meanMs, :iterations, :rssBytes, :loadMs, :measuredAt)`);
    this.#list = database.prepare<[string], StoredMeasurement>(
      'SELECT * FROM measurements WHERE model = ? ORDER BY hardware, runtime, settings',
    );
  }

  /** The measurement under exactly these conditions. */
  find(key: MeasurementKey): Measurement | undefined {
    const stored = this.#run(() => this.#find.get({ ...key, settings: settingsKey(key.settings) }));
    return stored === undefined ? undefined : fromStored(stored);
  }

  /** Records a measurement; its model must be in the models table. */
  put(measurement: Measurement): void {
    this.#run(() => this.#put.run({ ...measurement, settings: settingsKey(measurement.settings) }));
  }

  /** All measurements of a model, of whatever hardware and runtime. */
  listFor(modelHash: string): Measurement[] {
    return this.#run(() => this.#list.all(modelHash)).map(fromStored);
  }
}

/** The settings as canonical JSON: equal settings give equal text. */
function settingsKey(settings: RunSettings): string {
  return JSON.stringify({ provider: settings.provider, threads: settings.threads });
}

function fromStored(stored: StoredMeasurement): Measurement {
  return { ...stored, settings: JSON.parse(stored.settings) as RunSettings };
}
