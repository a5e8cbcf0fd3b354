import type { Histogram } from './histogram.ts';
import { type Range, rangeWithZero } from './range.ts';

/** First each end is tried at these parts of the whole range, 4 % apart, down to 1 %: outliers can be that far out. */
const COARSE = Array.from({ length: 114 }, (_, step) => 0.96 ** step);
/** Then close around what was best. */
const FINE = Array.from({ length: 41 }, (_, step) => 0.96 + step * 0.002);

/**
 * The range whose quantization to `2^bits` evenly spaced codes changes the values least, by the mean of the squared
 * differences: rounding inside the range against clipping outside. Each end is searched while the other stays. Values are those of the histogram's bins (their means); zeros cost nothing in any range.
 */
export function mseRange(histogram: Histogram, bits: number): Range {
  const bins = histogram.bins();
  const values = Float64Array.from(bins, (bin) => bin.mean);
  const weights = Float64Array.from(bins, (bin) => bin.count);
  const whole = rangeWithZero(histogram.min, histogram.max);
  let best = whole;
  let bestError = quantizationError(values, weights, best, bits);
  for (const parts of [COARSE, FINE]) {
    for (const end of ['max', 'min'] as const) {
      const from = parts === COARSE ? whole[end] : best[end];
      if (from === 0) continue;
      for (const part of parts) {
        const moved = from * part;
        if (Math.abs(moved) > Math.abs(whole[end])) continue;
        const range = { ...best, [end]: moved };
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
