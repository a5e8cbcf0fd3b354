import { SelvageError } from '../lib/errors.ts';
import type { TensorSpec } from '../tensor/tensor.ts';

/** Makes the error that says why a task does not fit its model. */
export type Misfit = (problem: string) => SelvageError;

/** The `Misfit` for a model. */
export function misfitOf(model: string): Misfit {
  return (problem) => SelvageError.of('TASK_MISFIT', { model, problem });
}

/** A tensor of a signature for messages: `'input' FP32 [?, 3, 224, 224]`. */
export function describeSpec(spec: TensorSpec): string {
  return `'${spec.name}' ${spec.datatype} [${spec.shape.map((size) => (size < 0 ? '?' : size)).join(', ')}]`;
}
