import { SelvageError } from '../../lib/errors.ts';
import { entropyRange } from './entropy-range.ts';
import { Histogram } from './histogram.ts';
import { mseRange } from './mse-range.ts';
import { percentileRange } from './percentile-range.ts';
import { type Range, rangeWithZero } from './range.ts';

/** How a range is chosen from the values that were seen; `bits` (8 by default) is what they will be quantized to. */
export type CalibrationMethod =
  | { readonly type: 'minmax' }
  | { readonly type: 'percentile'; readonly percentile: number }
  | { readonly type: 'mse'; readonly bits?: number }
  | { readonly type: 'entropy'; readonly bits?: number };

/** What was seen of one tensor. */
export interface Observation {
  /** Smallest and largest finite value; undefined where there was none. */
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** Finite values seen; 0 where only ranges were. */
  readonly count: number;
  /** NaN and infinities, which take no part in any range. */
  readonly nonFinite: number;
}

/**
 * Watches the values that flow through a model's tensors and says which range each should be quantized to. One pass
 * over the data serves all methods. Memory is about 32 KB for a tensor, however many values it sees.
 */
export class Calibrator {
  private readonly histograms = new Map<string, Histogram>();
  private readonly extremes = new Map<string, { min: number; max: number; nonFinite: number }>();

  /** Adds values of the tensor `name`. */
  observe(name: string, values: ArrayLike<number>): void {
    let histogram = this.histograms.get(name);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.histograms.set(name, histogram);
    }
    histogram.add(values);
  }

  /** Adds only the smallest and largest value of the tensor `name`, where the graph computed those itself. */
  observeExtremes(name: string, min: number, max: number): void {
    const seen = this.extremes.get(name) ?? {
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
      nonFinite: 0,
    };
    for (const value of [min, max]) {
      if (!Number.isFinite(value)) seen.nonFinite += 1;
      else {
        seen.min = Math.min(seen.min, value);
        seen.max = Math.max(seen.max, value);
      }
    }
    this.extremes.set(name, seen);
  }

  /** The tensors seen, in the order they came first. */
  names(): string[] {
    return [...new Set([...this.histograms.keys(), ...this.extremes.keys()])];
  }

  /** What was seen of a tensor; of one that never came, nothing. */
  observation(name: string): Observation {
    const histogram = this.histograms.get(name);
    const extremes = this.extremes.get(name);
    const min = Math.min(
      histogram?.min ?? Number.POSITIVE_INFINITY,
      extremes?.min ?? Number.POSITIVE_INFINITY,
    );
    const max = Math.max(
      histogram?.max ?? Number.NEGATIVE_INFINITY,
      extremes?.max ?? Number.NEGATIVE_INFINITY,
    );
    return {
      min: Number.isFinite(min) ? min : undefined,
      max: Number.isFinite(max) ? max : undefined,
      count: histogram?.total ?? 0,
      nonFinite: (histogram?.nonFinite ?? 0) + (extremes?.nonFinite ?? 0),
    };
  }

  /**
   * The range of a tensor by a method; it always holds 0 and is `{0, 0}` where no finite value was seen. Throws
   * INTERNAL where a method other than `minmax` is asked of a tensor of which only extremes were observed.
   */
  range(name: string, method: CalibrationMethod): Range {
    if (method.type === 'minmax') {
      const { min = 0, max = 0 } = this.observation(name);
      return rangeWithZero(min, max);
    }
    const histogram = this.histograms.get(name);
    if (histogram === undefined) {
      if (!this.extremes.has(name)) return { min: 0, max: 0 };
      throw SelvageError.of('INTERNAL', { reason: `no values of '${name}' for ${method.type} calibration` });
    }
    switch (method.type) {
      case 'percentile':
        return percentileRange(histogram, method.percentile);
      case 'mse':
        return mseRange(histogram, method.bits ?? 8);
      case 'entropy':
        return entropyRange(histogram, method.bits ?? 8);
    }
  }
}
