import { fromHalf } from './half.ts';
import { type Tensor, typedView } from './tensor.ts';

/**
 * The elements of a tensor as numbers: a view where they are numbers already, else (FP16 and 64-bit integers, which
 * lose what is beyond 2^53) converted. Undefined for BYTES.
 */
export function numbersOf(tensor: Tensor): ArrayLike<number> | undefined {
  const { datatype, data } = tensor;
  switch (datatype) {
    case 'BYTES':
      return undefined;
    case 'FP16':
      return Float32Array.from(typedView(datatype, data) as Uint16Array, fromHalf);
    case 'INT64':
    case 'UINT64':
      return Float64Array.from(typedView(datatype, data) as BigInt64Array, Number);
    default:
      return typedView(datatype, data) as Float32Array;
  }
}
