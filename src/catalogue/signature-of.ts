import type { ModelSummary, ValueSummary } from '../graph/summary.ts';
import { SelvageError } from '../lib/errors.ts';
import { isDatatype } from '../tensor/datatype.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import type { TensorSpec } from '../tensor/tensor.ts';

/**
 * The signature of a model as its file declares it. Throws MODEL_UNSUPPORTED where an input or output is of a type
 * that the protocol has no name for (sequences, maps, BF16, 4-bit integers).
 */
export function signatureOf(summary: ModelSummary): ModelSignature {
  const specOf =
    (kind: string) =>
    (value: ValueSummary): TensorSpec => {
      if (!isDatatype(value.datatype)) {
        const problem = `${kind} '${value.name}' is ${value.datatype}, which cannot be sent or received`;
        throw SelvageError.of('MODEL_UNSUPPORTED', { path: summary.path, problem });
      }
      const shape = (value.dims ?? []).map((dim) => (typeof dim === 'number' && dim > 0 ? dim : -1));
      return { name: value.name, datatype: value.datatype, shape };
    };
  return { inputs: summary.inputs.map(specOf('input')), outputs: summary.outputs.map(specOf('output')) };
}
