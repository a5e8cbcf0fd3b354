/**
 * Tensor datatypes by their names in the Open Inference Protocol, with what ONNX and the runtime call them.
 * ONNX element type numbers are those of `TensorProto.DataType` in onnx.proto.
 */
export const DATATYPES = {
  BOOL: { bytes: 1, onnx: 9, ort: 'bool', array: Uint8Array },
  UINT8: { bytes: 1, onnx: 2, ort: 'uint8', array: Uint8Array },
  UINT16: { bytes: 2, onnx: 4, ort: 'uint16', array: Uint16Array },
  UINT32: { bytes: 4, onnx: 12, ort: 'uint32', array: Uint32Array },
  UINT64: { bytes: 8, onnx: 13, ort: 'uint64', array: BigUint64Array },
  INT8: { bytes: 1, onnx: 3, ort: 'int8', array: Int8Array },
  INT16: { bytes: 2, onnx: 5, ort: 'int16', array: Int16Array },
  INT32: { bytes: 4, onnx: 6, ort: 'int32', array: Int32Array },
  INT64: { bytes: 8, onnx: 7, ort: 'int64', array: BigInt64Array },
  FP16: { bytes: 2, onnx: 10, ort: 'float16', array: Uint16Array },
  FP32: { bytes: 4, onnx: 1, ort: 'float32', array: Float32Array },
  FP64: { bytes: 8, onnx: 11, ort: 'float64', array: Float64Array },
  /** Elements of any length, each a little-endian u32 byte count and the bytes. */
  BYTES: { bytes: 0, onnx: 8, ort: 'string', array: Uint8Array },
} as const;

/** A datatype of the Open Inference Protocol that Selvage serves. */
export type Datatype = keyof typeof DATATYPES;

/** Every datatype name; the index is the number that stands for it in runner frames. */
export const DATATYPE_NAMES = Object.keys(DATATYPES) as Datatype[];

/** Whether `name` is a datatype that Selvage serves (BF16 and the 4-bit types are not). */
export function isDatatype(name: unknown): name is Datatype {
  return typeof name === 'string' && Object.hasOwn(DATATYPES, name);
}

/** The datatype with this ONNX element type number, or undefined where the runtime's boundary has none. */
export function datatypeOfOnnx(elementType: number): Datatype | undefined {
  return DATATYPE_NAMES.find((name) => DATATYPES[name].onnx === elementType);
}

/** The datatype that the runtime calls `ortType`, or undefined. */
export function datatypeOfOrt(ortType: string): Datatype | undefined {
  return DATATYPE_NAMES.find((name) => DATATYPES[name].ort === ortType);
}
