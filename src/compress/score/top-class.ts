/** Index of the largest score, the lowest among equals; -1 where there are no scores or one is NaN. */
export function topClass(scores: ArrayLike<number>): number {
  let best = -1;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] as number;
    if (Number.isNaN(score)) return -1;
    if (best < 0 || score > bestScore) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

/** Whether class `label` is among the `k` largest scores, the lower index first among equals; never where one is NaN. */
export function isInTop(scores: ArrayLike<number>, label: number, k: number): boolean {
  const own = scores[label];
  if (own === undefined) return false;
  let before = 0;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] as number;
    if (Number.isNaN(score)) return false;
    if (score > own || (score === own && index < label)) before += 1;
  }
  return before < k;
}
