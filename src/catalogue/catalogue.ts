import type { ModelConfig } from '../config/schema.ts';
import { SelvageError, toSelvageError } from '../lib/errors.ts';
import { runtimeVersion } from '../runtime/runtime-version.ts';
import type { MeasurementKey } from '../store/measurements.ts';
import { type ImportContext, importSource } from './import-source.ts';
import { type Candidate, measureVariants } from './measure-variants.ts';

/** Name of the variant of a model that has one source. */
const ONLY_VARIANT = 'original';

/** The execution provider runners use. */
const PROVIDER = 'cpu';

/** What the catalogue works with. */
export interface CatalogueContext extends ImportContext {
  /** Fingerprint of this machine's hardware, which measurements depend on. */
  readonly hardware: () => Promise<string>;
}

/** A variant with its content in the store, or where it lies when the store cannot take it (`hash` undefined). */
export interface StoredVariant extends Candidate {
  readonly hash: string | undefined;
}

/** The models of the configuration as files that can be served. */
export class Catalogue {
  readonly #context: CatalogueContext;

  constructor(context: CatalogueContext) {
    this.#context = context;
  }

  /**
   * Imports the files of a model and chooses the one to serve: the only one, or of several the one with the least
   * median latency measured on this machine. A variant that cannot be used is left out as long as another can.
   * Throws why no variant can be used.
   */
  async choose(model: string, config: ModelConfig, signal: AbortSignal): Promise<StoredVariant> {
    const variants = await this.#import(model, config, signal);
    const [first] = variants;
    if (first === undefined) throw SelvageError.of('MODEL_NOT_READY', { model, reason: 'it has no variant' });
    return variants.length === 1 ? first : this.#fastest(model, variants, signal);
  }

  async #import(model: string, config: ModelConfig, signal: AbortSignal): Promise<StoredVariant[]> {
    const variants = config.variants ?? { [ONLY_VARIANT]: { source: config.source ?? '' } };
    const stored: StoredVariant[] = [];
    let refusal: SelvageError | undefined;
    for (const [name, { source, threads }] of Object.entries(variants)) {
      try {
        const { hash, path } = await importSource(this.#context, model, source, signal);
        stored.push({ name, hash, path, threads: threads ?? config.threads });
      } catch (thrown) {
        const error = toSelvageError(thrown);
        if (error.code === 'CANCELLED') throw error;
        refusal ??= error;
        this.#context.log.error({ model, variant: name, err: error }, 'variant cannot be used');
      }
    }
    if (stored.length === 0 && refusal !== undefined) throw refusal;
    return stored;
  }

  async #fastest(
    model: string,
    variants: readonly StoredVariant[],
    signal: AbortSignal,
  ): Promise<StoredVariant> {
    const { store, jobs, clock, log } = this.#context;
    const hardware = await this.#context.hardware();
    const latencies = new Map<string, number>();
    for (const variant of variants) {
      const known = variant.hash && store.measurements.find(this.#key(variant, variant.hash, hardware));
      if (known) latencies.set(variant.name, known.p50Ms);
    }
    if (latencies.size < variants.length) {
      const measured = await jobs.run('measure', model, signal, (handle) =>
        measureVariants(variants, handle, clock),
      );
      for (const result of measured) {
        const variant = variants.find(({ name }) => name === result.name);
        if (!result.ok)
          log.error({ model, variant: result.name, reason: result.reason }, 'variant does not run');
        else {
          latencies.set(result.name, result.p50Ms);
          if (variant?.hash === undefined) continue;
          const { p50Ms, p95Ms, meanMs, iterations, rssBytes, loadMs } = result;
          const values = { p50Ms, p95Ms, meanMs, iterations, rssBytes, loadMs, measuredAt: clock.now() };
          this.#remember(() =>
            store.measurements.put({ ...this.#key(variant, variant.hash ?? '', hardware), ...values }),
          );
        }
      }
    }
    return this.#select(model, variants, latencies);
  }

  #select(
    model: string,
    variants: readonly StoredVariant[],
    latencies: ReadonlyMap<string, number>,
  ): StoredVariant {
    const { store, clock, log } = this.#context;
    const ranked = variants
      .flatMap((variant) => {
        const p50Ms = latencies.get(variant.name);
        return p50Ms === undefined ? [] : [{ variant, p50Ms }];
      })
      .sort((a, b) => a.p50Ms - b.p50Ms);
    const [best] = ranked;
    if (best === undefined) {
      throw SelvageError.of('MODEL_UNSUPPORTED', {
        path: `model '${model}'`,
        problem: 'none of its variants runs',
      });
    }
    const reason = ranked.map(({ variant, p50Ms }) => `${variant.name} ${p50Ms.toFixed(3)} ms`).join(', ');
    this.#remember(() =>
      store.selections.put({ model, variant: best.variant.name, reason, at: clock.now() }),
    );
    log.info({ model, variant: best.variant.name, reason }, 'fastest variant chosen');
    return best.variant;
  }

  #key(variant: Candidate, hash: string, hardware: string): MeasurementKey {
    const settings = { threads: variant.threads, provider: PROVIDER };
    return { model: hash, settings, hardware, runtime: runtimeVersion() };
  }

  /** A measurement that cannot be kept is made again at the next start. */
  #remember(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#context.log.warn({ err: error }, 'a measurement could not be kept');
    }
  }
}
