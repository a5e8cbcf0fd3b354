import type { Histogram } from './histogram.ts';
import { type Range, rangeWithZero } from './range.ts';

/** Thresholds tried, at most. */
const THRESHOLDS = 256;
/** Bins of magnitudes that the search works on, as in TensorRT. */
const BINS = 2048;
/** What a bin that quantization leaves empty counts as, as a part of all: it makes the divergence large but finite. */
const EMPTY = 1e-9;

/**
 * The range `[-t, t]`, inside what was seen, whose quantization keeps the distribution of the values best: for each
 * threshold t the Kullback–Leibler divergence between the distribution clipped at t and the same one spread over the
 * codes (S. Migacz, "8-bit Inference with TensorRT", 2017). Magnitudes stand for the values; where all have one sign
 * they get all `2^bits` codes, else half of them. Zeros are left out: every range represents them exactly, and after a
 * Relu they would outweigh everything else.
 */
export function entropyRange(histogram: Histogram, bits: number): Range {
  const whole = rangeWithZero(histogram.min, histogram.max);
  const largest = Math.max(whole.max, -whole.min);
  if (largest === 0) return whole;
  const codes = whole.min === 0 || whole.max === 0 ? 2 ** bits : 2 ** (bits - 1);
  const magnitudes = foldedCounts(histogram, largest);
  const total = magnitudes.reduce((sum, count) => sum + count, 0);
  const step = Math.max(1, Math.ceil((BINS - codes) / THRESHOLDS));
  let best = BINS;
  let bestDivergence = Number.POSITIVE_INFINITY;
  // From the whole range down, so that of equals the one that clips least stays.
  for (let end = BINS; end >= codes; end -= step) {
    const divergence = divergenceAt(magnitudes, total, end, codes);
    if (divergence < bestDivergence) {
      best = end;
      bestDivergence = divergence;
    }
  }
  const threshold = (largest * best) / BINS;
  return { min: Math.max(whole.min, -threshold), max: Math.min(whole.max, threshold) };
}

/** Counts of magnitudes in even bins from 0 to `largest`; a source bin's count is spread over the bins it covers. */
function foldedCounts(histogram: Histogram, largest: number): Float64Array {
  const counts = new Float64Array(BINS);
  const perUnit = BINS / largest;
  for (const { low, high, count } of histogram.bins()) {
    const [near, far] = low >= 0 ? [low, high] : [-high, -low];
    const from = Math.max(0, near * perUnit);
    const to = Math.max(from, Math.min(BINS, far * perUnit));
    const first = Math.min(BINS - 1, Math.floor(from));
    const last = Math.min(BINS - 1, Math.max(first, Math.ceil(to) - 1));
    for (let bin = first; bin <= last; bin++) {
      const part = to > from ? (Math.min(to, bin + 1) - Math.max(from, bin)) / (to - from) : 1;
      counts[bin] = (counts[bin] as number) + count * Math.max(0, part);
    }
  }
  return counts;
}

/** KL(clipped at `end` ‖ spread over `codes`); both distributions over the bins below `end`. */
function divergenceAt(counts: Float64Array, total: number, end: number, codes: number): number {
  const kept = counts.subarray(0, end);
  const inside = kept.reduce((sum, count) => sum + count, 0);
  if (inside === 0) return Number.POSITIVE_INFINITY;
  const spread = spreadOverCodes(kept, codes);
  let divergence = 0;
  for (let bin = 0; bin < end; bin++) {
    const outliers = bin === end - 1 ? total - inside : 0;
    const p = ((kept[bin] as number) + outliers) / total;
    if (p > 0) divergence += p * Math.log(p / Math.max((spread[bin] as number) / inside, EMPTY));
  }
  return divergence;
}

/** The counts as they look after quantization: each code's count spread evenly over its bins that are not empty. */
function spreadOverCodes(counts: Float64Array, codes: number): Float64Array {
  const spread = new Float64Array(counts.length);
  const perCode = counts.length / codes;
  for (let code = 0; code < codes; code++) {
    const start = Math.floor(code * perCode);
    const end = code === codes - 1 ? counts.length : Math.floor((code + 1) * perCode);
    let sum = 0;
    let filled = 0;
    for (let bin = start; bin < end; bin++) {
      sum += counts[bin] as number;
      if ((counts[bin] as number) > 0) filled += 1;
    }
    for (let bin = start; bin < end; bin++) {
      if ((counts[bin] as number) > 0) spread[bin] = sum / filled;
    }
  }
  return spread;
}
