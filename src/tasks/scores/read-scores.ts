import { SelvageError } from '../../lib/errors.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Datatypes that scores can have. */
export const SCORE_DATATYPES = ['FP32', 'FP16', 'FP64'] as const;

/**
 * The scores in the output `name`, one per class. Throws INFERENCE_FAILED where there are none, or where they hold
 * NaN, +Infinity, or nothing above -Infinity: there is no best class among those.
 */
export function readScores(model: string, outputs: readonly Tensor[], name: string): ArrayLike<number> {
  const failed = (problem: string) =>
    SelvageError.of('INFERENCE_FAILED', { model, reason: `output '${name}' ${problem}` });
  const tensor = outputs.find((output) => output.name === name);
  if (tensor === undefined) throw failed('is missing');
  const scores = numbersOf(tensor);
  if (scores === undefined || !SCORE_DATATYPES.some((datatype) => datatype === tensor.datatype)) {
    throw failed(`is ${tensor.datatype}, expected ${SCORE_DATATYPES.join(', ')}`);
  }
  let max = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index += 1) {
    const score = scores[index] ?? 0;
    if (Number.isNaN(score) || score === Number.POSITIVE_INFINITY)
      throw failed(`is ${score} at index ${index}`);
    if (score > max) max = score;
  }
  if (max === Number.NEGATIVE_INFINITY) throw failed('holds no finite score');
  return scores;
}
