/** How many times as fast a variant is as the float model, with the interval that holds the true median (95 %). */
export interface Speed {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The median of the paired ratios `floatMs[i] / variantMs[i]` of runs taken in turns, so that what slows the machine
 * down meets both. The interval is that of the order statistics of the median (binomial, no assumption on the
 * distribution); with fewer than 6 pairs it is all of them. Pairs in which a time is not above zero are left out;
 * undefined where none is left.
 */
export function speedOf(floatMs: ArrayLike<number>, variantMs: ArrayLike<number>): Speed | undefined {
  const ratios: number[] = [];
  for (let index = 0; index < Math.min(floatMs.length, variantMs.length); index++) {
    const ratio = (floatMs[index] as number) / (variantMs[index] as number);
    if (Number.isFinite(ratio) && ratio > 0) ratios.push(ratio);
  }
  if (ratios.length === 0) return undefined;
  ratios.sort((a, b) => a - b);
  const skipped = ranksOutside(ratios.length);
  const at = (index: number) => ratios[index] as number;
  const middle = (ratios.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(skipped),
    high: at(ratios.length - 1 - skipped),
  };
}

/** How many of the smallest, and of the largest, of `count` values lie outside the interval: P(Bin(count, ½) < rank) ≤ 2.5 %. */
function ranksOutside(count: number): number {
  let logTerm = -count * Math.LN2;
  let tail = Math.exp(logTerm);
  let rank = 0;
  while (tail <= 0.025 && rank < (count - 1) / 2) {
    rank += 1;
    logTerm += Math.log((count - rank + 1) / rank);
    tail += Math.exp(logTerm);
  }
  return Math.max(0, rank - 1);
}
