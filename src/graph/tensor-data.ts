import { DATATYPES } from '../tensor/datatype.ts';
import { isExternal } from './external-data.ts';
import type { TensorProto } from './gen/onnx_pb.ts';

const FLOAT = DATATYPES.FP32.onnx;

/** Whether a tensor holds 32-bit floats in the model itself, so that `floatsOf` can read it. */
export function isFloatTensor(tensor: TensorProto): boolean {
  return tensor.dataType === FLOAT && !isExternal(tensor);
}

/**
 * A copy of the elements of an FP32 tensor, row-major, however it stores them; undefined where it is of another type
 * or its data lies in another file (see `inlineExternalData`).
 */
export function floatsOf(tensor: TensorProto): Float32Array | undefined {
  if (!isFloatTensor(tensor)) return undefined;
  if (tensor.rawData.length === 0) return Float32Array.from(tensor.floatData);
  return new Float32Array(alignedCopy(tensor.rawData));
}

/** A copy of the elements of an integer or boolean tensor as numbers; undefined as for `floatsOf`. */
export function integersOf(tensor: TensorProto): number[] | undefined {
  if (isExternal(tensor)) return undefined;
  const raw = tensor.rawData;
  switch (tensor.dataType) {
    case DATATYPES.INT64.onnx:
      if (raw.length === 0) return tensor.int64Data.map(Number);
      return Array.from(new BigInt64Array(alignedCopy(raw)), Number);
    case DATATYPES.INT32.onnx:
      return raw.length === 0 ? [...tensor.int32Data] : [...new Int32Array(alignedCopy(raw))];
    case DATATYPES.INT8.onnx:
      return raw.length === 0 ? [...tensor.int32Data] : [...new Int8Array(alignedCopy(raw))];
    case DATATYPES.UINT8.onnx:
    case DATATYPES.BOOL.onnx:
      return raw.length === 0 ? [...tensor.int32Data] : [...raw];
    default:
      return undefined;
  }
}

/** The shape of a tensor as numbers. */
export function dimsOf(tensor: TensorProto): number[] {
  return tensor.dims.map(Number);
}

/** Raw data lies at any alignment in the file's buffer. */
function alignedCopy(raw: Uint8Array): ArrayBuffer {
  return Uint8Array.from(raw).buffer;
}
