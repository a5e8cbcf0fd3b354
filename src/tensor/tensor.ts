import { DATATYPES, type Datatype } from './datatype.ts';

/**
 * A named tensor. `data` holds its elements row-major and little-endian, as the protocol's binary form does:
 * `elementCount(shape) * DATATYPES[datatype].bytes` bytes, for BYTES each element as a u32 length and the bytes.
 * It may be a view at any offset; `typedView` gives aligned access.
 */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A tensor as a model declares it; a dimension of -1 takes any size. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** Typed arrays that hold tensor elements. */
export type ElementArray = InstanceType<(typeof DATATYPES)[Datatype]['array']>;

/** The number of elements of a shape: the product of its dimensions, 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** The exact byte length of a fixed-size datatype's data; undefined for BYTES, whose elements vary. */
export function expectedBytes(datatype: Datatype, shape: readonly number[]): number | undefined {
  return datatype === 'BYTES' ? undefined : elementCount(shape) * DATATYPES[datatype].bytes;
}

/** The elements as a typed array: a view where `data` is aligned for it, else a copy. Not for BYTES. */
export function typedView(datatype: Datatype, data: Uint8Array): ElementArray {
  const { bytes, array: ArrayType } = DATATYPES[datatype];
  const width = Math.max(bytes, 1);
  if (data.byteOffset % width !== 0) {
    const copy = new Uint8Array(data);
    return new ArrayType(copy.buffer, 0, copy.byteLength / width);
  }
  return new ArrayType(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / width);
}

/** The bytes of a typed array, without copying. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}

/** Elements of a BYTES tensor, each a view; undefined where the lengths do not add up to `data`. */
export function splitBytes(data: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const elements: Uint8Array[] = [];
  let offset = 0;
  while (offset < data.byteLength) {
    if (offset + 4 > data.byteLength) return undefined;
    const end = offset + 4 + view.getUint32(offset, true);
    if (end > data.byteLength) return undefined;
    elements.push(data.subarray(offset + 4, end));
    offset = end;
  }
  return elements;
}

/** The inverse of `splitBytes`. */
export function joinBytes(elements: readonly Uint8Array[]): Uint8Array {
  const total = elements.reduce((sum, element) => sum + 4 + element.byteLength, 0);
  const data = new Uint8Array(total);
  const view = new DataView(data.buffer);
  let offset = 0;
  for (const element of elements) {
    view.setUint32(offset, element.byteLength, true);
    data.set(element, offset + 4);
    offset += 4 + element.byteLength;
  }
  return data;
}
