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
 * quantization represents them exactly; the bins reach to 0 for the same reason. NaN and infinities are counted and left
 * out.
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
    const { min, max, zeros, allFinite } = survey(values);
    if (!allFinite) {
      const finite = Array.prototype.filter.call(values, Number.isFinite) as number[];
      this.nonFinite += values.length - finite.length;
      this.add(finite);
      return;
    }
    if (values.length === 0) return;
    this.total += values.length;
    this.min = Math.min(this.min, min) + 0;
    this.max = Math.max(this.max, max) + 0;
    this.cover(Math.min(0, min), Math.max(0, max));
    this.count(values, zeros);
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

  /** Without a branch: zeros go to the bin that begins with 0, and are taken out again. */
  private count(values: ArrayLike<number>, zeros: number): void {
    const { counts, sums, first } = this;
    const perWidth = 1 / this.width;
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as number;
      // As an integer: an index of -0 is slow.
      const bin = (Math.floor(value * perWidth) - first) | 0;
      counts[bin] = (counts[bin] as number) + 1;
      sums[bin] = (sums[bin] as number) + value;
    }
    counts[-first] = (counts[-first] as number) - zeros;
    this.zeros += zeros;
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

/** Smallest and largest value and the number of zeros; meaningless where not all values are finite. */
function survey(values: ArrayLike<number>) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let zeros = 0;
  // 0 for finite values, NaN for all others: one of those makes the sum NaN.
  let check = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (value < min) min = value;
    if (value > max) max = value;
    zeros += value === 0 ? 1 : 0;
    check += value - value;
  }
  return { min, max, zeros, allFinite: check === 0 };
}

function fits(min: number, max: number, last: number, width: number): boolean {
  const first = Math.floor(min / width);
  const end = Math.max(Math.floor(max / width), last);
  return end - first < BINS && -first < MAX_BIN_NUMBER && end < MAX_BIN_NUMBER;
}
