/**
 * Softmax of scores, `exp(s - max) / sum(exp(s - max))`: subtracting the maximum keeps every exponential in 0..1.
 * A score of -Infinity has probability 0. The scores must hold a finite maximum and no NaN.
 */
export function softmax(scores: ArrayLike<number>): Float64Array {
  let max = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index += 1) max = Math.max(max, scores[index] ?? 0);
  const probabilities = new Float64Array(scores.length);
  let sum = 0;
  for (let index = 0; index < scores.length; index += 1) {
    const value = Math.exp((scores[index] ?? 0) - max);
    probabilities[index] = value;
    sum += value;
  }
  for (let index = 0; index < probabilities.length; index += 1) {
    probabilities[index] = (probabilities[index] ?? 0) / sum;
  }
  return probabilities;
}
