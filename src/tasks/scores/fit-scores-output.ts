import type { TensorSpec } from '../../tensor/tensor.ts';
import { describeSpec, type Misfit } from '../misfit.ts';
import { SCORE_DATATYPES } from './read-scores.ts';

/** A model's output with one score per class. */
export interface ScoresOutput {
  readonly name: string;
  /** Number of classes; undefined where the model leaves it free. */
  readonly classes: number | undefined;
}

/**
 * The output that holds the scores: the one called `wanted`, else the only one. It must be of a floating-point
 * datatype, and besides its first dimension, the batch, only one may differ from 1: [1, 10], [?, 1000, 1, 1], [10].
 * Throws what `misfit` makes where there is no such output.
 */
export function fitScoresOutput(
  outputs: readonly TensorSpec[],
  wanted: string | undefined,
  misfit: Misfit,
): ScoresOutput {
  const named = wanted === undefined ? outputs : outputs.filter((output) => output.name === wanted);
  const [output] = named;
  if (output === undefined || named.length !== 1) {
    const expected = wanted === undefined ? 'one output (or set task.output)' : `an output '${wanted}'`;
    throw misfit(`expected ${expected}, found ${outputs.map(describeSpec).join(', ') || 'none'}`);
  }
  if (!SCORE_DATATYPES.some((datatype) => datatype === output.datatype)) {
    throw misfit(`expected scores of ${SCORE_DATATYPES.join(', ')}, found ${describeSpec(output)}`);
  }
  return { name: output.name, classes: classCount(output, misfit) };
}

function classCount(output: TensorSpec, misfit: Misfit): number | undefined {
  const [batch = 1, ...rest] = output.shape;
  const sizes = (output.shape.length < 2 ? output.shape : rest).filter((size) => size !== 1);
  if (sizes.length > 1 || (output.shape.length >= 2 && batch > 1)) {
    throw misfit(`expected one score per class for a batch of 1, found ${describeSpec(output)}`);
  }
  const [classes = 1] = sizes;
  return classes < 0 ? undefined : classes;
}
