import { SelvageError } from '../../lib/errors.ts';
import { softmax } from './softmax.ts';

/** What scores are: to be found out, raw (softmax is applied), or probabilities already. */
export type ScoreKind = 'auto' | 'logits' | 'probabilities';

/** How far rounding (FP16, quantized outputs) may take probabilities from 0..1 and their sum from 1. */
const RANGE_TOLERANCE = 1e-3;
const SUM_TOLERANCE = 1e-2;

/**
 * Probabilities (0..1) of scores. `auto` takes scores within 0..1 that sum to 1 as probabilities and all else as
 * logits. Throws INFERENCE_FAILED where `probabilities` are promised and a score is outside 0..1.
 */
export function probabilitiesOf(
  model: string,
  output: string,
  scores: ArrayLike<number>,
  kind: ScoreKind,
): ArrayLike<number> {
  if (kind === 'logits') return softmax(scores);
  const outside = firstOutside(scores);
  if (kind === 'auto' && (outside !== undefined || !sumsToOne(scores))) return softmax(scores);
  if (outside === undefined) return clamped(scores);
  const reason = `output '${output}' is ${scores[outside]} at index ${outside}, which is no probability: set task.scores to logits`;
  throw SelvageError.of('INFERENCE_FAILED', { model, reason });
}

function firstOutside(scores: ArrayLike<number>): number | undefined {
  for (let index = 0; index < scores.length; index += 1) {
    const score = scores[index] ?? 0;
    if (score < -RANGE_TOLERANCE || score > 1 + RANGE_TOLERANCE) return index;
  }
  return undefined;
}

function sumsToOne(scores: ArrayLike<number>): boolean {
  let sum = 0;
  for (let index = 0; index < scores.length; index += 1) sum += scores[index] ?? 0;
  return Math.abs(sum - 1) <= SUM_TOLERANCE;
}

function clamped(scores: ArrayLike<number>): Float64Array {
  return Float64Array.from(scores, (score) => Math.min(1, Math.max(0, score)));
}
