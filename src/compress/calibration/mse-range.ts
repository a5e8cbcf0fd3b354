import type { Histogram } from './histogram.ts';
import { type Range, rangeWithZero } from './range.ts';

/** Ends are tried at these parts of the whole range, from nothing clipped to nearly everything. */
const STEPS = 100;
const SMALLEST_PART = 0.05;
/** Each end in turn, twice: a second round moves little, a third nothing. */
const ROUNDS = 2;

/**
 * The range whose quantization to `2^bits` evenly spaced codes changes the values least, by the mean of the squared
 * differences: rounding inside the range against clipping outside. Each end is searched over a grid while the other
 * stays. Values are those of the histogram's bins (their means); zeros cost nothing in any range.
 */
export function mseRange(histogram: Histogram, bits: number): Range {
  const bins = histogram.bins();
  const values = Float64Array.from(bins, (bin) => bin.mean);
  const weights = Float64Array.from(bins, (bin) => bin.count);
  const whole = rangeWithZero(histogram.min, histogram.max);
  let best = whole;
  let bestError = quantizationError(values, weights, best, bits);
  for (let round = 0; round < ROUNDS; round++) {
    for (const end of ['max', 'min'] as const) {
      if (whole[end] === 0) continue;
      for (let step = 0; step < STEPS; step++) {
        const part = 1 - (step / (STEPS - 1)) * (1 - SMALLEST_PART);
        const range = { ...best, [end]: whole[end] * part };
        const error = quantizationError(values, weights, range, bits);
        if (error < bestError) {
          best = range;
          bestError = error;
        }
      }
    }
  }
  return best;
}

/**
 * The weighted sum of squared differences between values and what asymmetric quantization to `2^bits` codes makes of
 * them: `scale = (max - min) / (2^bits - 1)`, a whole number as zero point, values outside clipped.
 */
export function quantizationError(
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
  range: Range,
  bits: number,
): number {
  const codes = 2 ** bits - 1;
  const scale = (range.max - range.min) / codes;
  const zeroPoint = scale > 0 ? Math.round(-range.min / scale) : 0;
  let error = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    const code = scale > 0 ? Math.round(value / scale) + zeroPoint : zeroPoint;
    const clipped = Math.min(codes, Math.max(0, code));
    const difference = value - (clipped - zeroPoint) * scale;
    error += (weights[index] as number) * difference * difference;
  }
  return error;
}
