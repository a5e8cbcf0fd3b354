/** Bins of a histogram; between half and all of them are in use. Two arrays of this length are its whole memory. */
const BINS = 2048;
/** Bin numbers stay below 2^40, far inside what a double counts exactly. */
const MAX_BIN_NUMBER = 2 ** 40;
/** The narrowest bin: the smallest normal float32. */
const MIN_WIDTH = 2 ** -126;

/** One bin that is in use. */
export interface Bin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Mean of the values in it: what stands for them, exact where they are all equal. */
  readonly mean: number;
}

/**
 * Counts values in bounded memory, without knowing their range in advance. Bins are a power of two wide and begin at
 * multiples of their width, so when the values need more room, pairs of bins merge exactly: the counts depend
 * neither on the order of the values nor on how they were cut into pieces. Zeros are counted apart, since
 * quantization represents them exactly; NaN and infinities are counted and left out.
 */
export class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  zeros = 0;
  nonFinite = 0;
  /** Finite values, zeros included. */
  total = 0;
  private width = MIN_WIDTH;
  /** Number of the first bin: it begins at `first * width`. */
  private first = 0;
  private used = 0;
  private counts = new Float64Array(BINS);
  private sums = new Float64Array(BINS);

  /** Adds values; the time is linear, the memory does not grow. */
  add(values: ArrayLike<number>): void {
    const range = this.survey(values);
    if (range === undefined) return;
    this.cover(range.min, range.max);
    const { counts, sums, first } = this;
    const perWidth = 1 / this.width;
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as number;
      if (value === 0 || value - value !== 0) continue;
      const bin = Math.floor(value * perWidth) - first;
      counts[bin] = (counts[bin] as number) + 1;
      sums[bin] = (sums[bin] as number) + value;
    }
  }

  /** The bins that hold values, lowest first; zeros are in none of them. */
  bins(): Bin[] {
    const bins: Bin[] = [];
    for (let bin = 0; bin < this.used; bin++) {
      const count = this.counts[bin] as number;
      if (count === 0) continue;
      const low = (this.first + bin) * this.width;
      bins.push({ low, high: low + this.width, count, mean: (this.sums[bin] as number) / count });
    }
    return bins;
  }

  /** Updates what is counted apart; the range of the values that go into bins, or undefined where there are none. */
  private survey(values: ArrayLike<number>): { min: number; max: number } | undefined {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    let zeros = 0;
    let nonFinite = 0;
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as number;
      if (value === 0) zeros += 1;
      else if (value - value !== 0) nonFinite += 1;
      else {
        if (value < min) min = value;
        if (value > max) max = value;
      }
    }
    this.zeros += zeros;
    this.nonFinite += nonFinite;
    this.total += values.length - nonFinite;
    this.min = Math.min(this.min, min, zeros > 0 ? 0 : Number.POSITIVE_INFINITY);
    this.max = Math.max(this.max, max, zeros > 0 ? 0 : Number.NEGATIVE_INFINITY);
    return min <= max ? { min, max } : undefined;
  }

  /** Widens the bins until they hold min..max too. */
  private cover(newMin: number, newMax: number): void {
    const empty = this.used === 0;
    const min = empty ? newMin : Math.min(newMin, this.first * this.width);
    // The last bin in use ends, without its end, where the next begins.
    const last = empty ? Number.NEGATIVE_INFINITY : this.first + this.used - 1;
    let width = this.width;
    let lastOld = last;
    while (!fits(min, newMax, lastOld, width)) {
      width *= 2;
      lastOld = Math.floor(lastOld / 2);
    }
    const first = Math.floor(min / width);
    const end = Math.max(Math.floor(newMax / width), lastOld) + 1;
    if (!empty) this.move(first, width);
    this.first = first;
    this.width = width;
    this.used = end - first;
  }

  private move(first: number, width: number): void {
    if (first === this.first && width === this.width) return;
    const counts = new Float64Array(BINS);
    const sums = new Float64Array(BINS);
    const scale = this.width / width;
    for (let bin = 0; bin < this.used; bin++) {
      const target = Math.floor((this.first + bin) * scale) - first;
      counts[target] = (counts[target] as number) + (this.counts[bin] as number);
      sums[target] = (sums[target] as number) + (this.sums[bin] as number);
    }
    this.counts = counts;
    this.sums = sums;
  }
}

function fits(min: number, max: number, last: number, width: number): boolean {
  const first = Math.floor(min / width);
  const end = Math.max(Math.floor(max / width), last);
  return end - first < BINS && -first < MAX_BIN_NUMBER && end < MAX_BIN_NUMBER;
}
