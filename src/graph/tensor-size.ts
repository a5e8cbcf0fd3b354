import { type ElementType, elementTypeOf } from './element-types.ts';
import type { TensorProto } from './gen/onnx_pb.ts';

/** The number of elements of a shape as an exact integer, or what is wrong with the shape. */
export function countElements(dims: readonly bigint[]): bigint | { readonly problem: string } {
  let count = 1n;
  for (const dim of dims) {
    if (dim < 0n) return { problem: `has a negative dimension (${dim})` };
    count *= dim;
    // Cut off here: a long list of large dimensions would make the product itself a bomb.
    if (count >= 2n ** 53n) return { problem: 'has 2^53 or more elements' };
  }
  return count;
}

/** Bytes of `count` elements in `raw_data` or an external file; small types are packed. Not for strings. */
export function packedBytes(type: ElementType, count: number): number {
  return Math.ceil((count * type.bits) / 8);
}

/** Elements and bytes of a tensor, by its shape; strings count with the bytes they hold. */
export function tensorSize(tensor: TensorProto): { readonly elements: number; readonly bytes: number } {
  const count = countElements(tensor.dims);
  const type = elementTypeOf(tensor.dataType);
  if (typeof count !== 'bigint' || type === undefined) return { elements: 0, bytes: 0 };
  const elements = Number(count);
  if (type.field !== 'stringData') return { elements, bytes: packedBytes(type, elements) };
  return { elements, bytes: tensor.stringData.reduce((sum, text) => sum + text.length, 0) };
}
