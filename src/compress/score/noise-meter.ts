/** Where a ratio in dB ends: nothing measured with float32 is beyond it, and JSON has no infinity. */
const MAX_DB = 200;
/** A signal whose root mean square is below this is as good as zero: a ratio to it says nothing. */
const ZERO_RMS = 1e-6;

/** What a `NoiseMeter` found. */
export interface Noise {
  /**
   * Signal-to-noise ratio, `10 log10(Σ reference² / Σ (reference - value)²)`: 200 where equal, -200 where the values
   * have NaN or infinities. Undefined where the reference is nearly zero throughout (root mean square below 1e-6).
   */
  readonly snrDb: number | undefined;
  /** Cosine of the angle between reference and values, -1..1; undefined where either is zero. */
  readonly cosine: number | undefined;
  /** Root mean square of the reference. */
  readonly rms: number;
  /** Values that are NaN or infinite where the reference is not. */
  readonly nonFinite: number;
  /** Observations whose number of values was not that of the reference. */
  readonly lengthsDiffered: number;
}

/**
 * Compares values with their reference, piece by piece, in constant memory. Elements whose reference is not finite
 * are left out. A piece of another length than its reference counts as all noise (0 dB).
 */
export class NoiseMeter {
  private signal = 0;
  private noise = 0;
  private energy = 0;
  private dot = 0;
  private count = 0;
  private nonFinite = 0;
  private lengthsDiffered = 0;

  /** Adds a piece, such as one output for one sample. */
  observe(reference: ArrayLike<number>, values: ArrayLike<number>): void {
    const sameLength = reference.length === values.length;
    if (!sameLength) this.lengthsDiffered += 1;
    for (let index = 0; index < reference.length; index++) {
      const wanted = reference[index] as number;
      if (wanted - wanted !== 0) continue;
      const value = sameLength ? (values[index] as number) : 0;
      this.count += 1;
      this.signal += wanted * wanted;
      if (value - value !== 0) {
        this.nonFinite += 1;
        continue;
      }
      this.noise += (wanted - value) * (wanted - value);
      this.energy += value * value;
      this.dot += wanted * value;
    }
  }

  /** What was found so far. */
  result(): Noise {
    const norms = Math.sqrt(this.signal) * Math.sqrt(this.energy);
    return {
      snrDb: this.snrDb(),
      cosine: norms > 0 && this.nonFinite === 0 ? Math.max(-1, Math.min(1, this.dot / norms)) : undefined,
      rms: this.rms(),
      nonFinite: this.nonFinite,
      lengthsDiffered: this.lengthsDiffered,
    };
  }

  private rms(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.signal / this.count);
  }

  private snrDb(): number | undefined {
    if (this.nonFinite > 0) return -MAX_DB;
    return this.rms() < ZERO_RMS ? undefined : decibels(this.signal, this.noise);
  }
}

/** The mean of ratios in dB as the ratio of the mean noise to an equal signal: the worst weighs most. Undefined for none. */
export function meanSnrDb(ratiosDb: readonly number[]): number | undefined {
  if (ratiosDb.length === 0) return undefined;
  const noise = ratiosDb.reduce((sum, ratioDb) => sum + 10 ** (-ratioDb / 10), 0);
  return decibels(ratiosDb.length, noise);
}

function decibels(signal: number, noise: number): number {
  if (noise === 0) return MAX_DB;
  return Math.max(-MAX_DB, Math.min(MAX_DB, 10 * Math.log10(signal / noise)));
}
