import type { Histogram } from './histogram.ts';
import { type Range, rangeWithZero } from './range.ts';

/**
 * The range without the outermost values: of all values, `(100 - percentile) / 2` percent are cut at either end, as
 * the percentile calibrator of ONNX Runtime does for asymmetric activations. Ends lie on the edge of a bin (at most one
 * bin outside the exact quantile) and never outside what was seen. `percentile` is above 50 and at most 100.
 */
export function percentileRange(histogram: Histogram, percentile: number): Range {
  const cut = (histogram.total * (100 - percentile)) / 200;
  const bins = histogram.bins();
  const steps = bins.map(({ low, high, count }) => ({ low, high, count }));
  if (histogram.zeros > 0) {
    const place = steps.findIndex(({ low }) => low >= 0);
    steps.splice(place < 0 ? steps.length : place, 0, { low: 0, high: 0, count: histogram.zeros });
  }
  const low = firstBeyond(steps, cut)?.low ?? 0;
  const high = firstBeyond(steps.reverse(), cut)?.high ?? 0;
  return rangeWithZero(Math.max(low, histogram.min), Math.min(high, histogram.max));
}

/** The step in which more than `cut` values have been passed. */
function firstBeyond<Step extends { readonly count: number }>(
  steps: readonly Step[],
  cut: number,
): Step | undefined {
  let passed = 0;
  for (const step of steps) {
    passed += step.count;
    if (passed > cut) return step;
  }
  return steps.at(-1);
}
