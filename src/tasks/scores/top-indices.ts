/**
 * Indices of the `count` largest scores, largest first, the lower index first among equals; all of them where there
 * are fewer. Keeps a sorted list of `count` while it walks the scores once: for a small `count` little is moved.
 */
export function topIndices(scores: ArrayLike<number>, count: number): number[] {
  const top: number[] = [];
  for (let index = 0; index < scores.length; index += 1) {
    const score = scores[index] ?? 0;
    if (top.length >= count && score <= (scores[top[top.length - 1] ?? 0] ?? 0)) continue;
    top.splice(placeOf(score, top, scores), 0, index);
    if (top.length > count) top.pop();
  }
  return top.slice(0, count);
}

/** Where a score belongs in `top`: behind every score that is not smaller. */
function placeOf(score: number, top: readonly number[], scores: ArrayLike<number>): number {
  let low = 0;
  let high = top.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scores[top[middle] ?? 0] ?? 0) >= score) low = middle + 1;
    else high = middle;
  }
  return low;
}
