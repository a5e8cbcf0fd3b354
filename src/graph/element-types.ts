import { datatypeOfOnnx } from '../tensor/datatype.ts';

/** The field of a TensorProto that holds elements which are not in `raw_data`. */
type TypedField = 'floatData' | 'int32Data' | 'stringData' | 'int64Data' | 'doubleData' | 'uint64Data';

/** An ONNX element type: its size and how a TensorProto stores it. */
export interface ElementType {
  /** Name in `TensorProto.DataType`. */
  readonly name: string;
  /** Bits of an element in `raw_data` and external data; 0 for strings. */
  readonly bits: number;
  readonly field: TypedField;
  /** Elements that one number of `field` holds: 0.5 for complex numbers, 2 and 4 for packed small integers. */
  readonly perNumber: number;
}

/**
 * Element types by their number in `TensorProto.DataType`, as onnx.proto of IR version 14 defines them (the index is
 * the number; 0 is "undefined").
 */
// biome-ignore format: one line a type
const ELEMENT_TYPES: ReadonlyArray<ElementType | undefined> = [
  undefined,
  { name: 'FLOAT', bits: 32, field: 'floatData', perNumber: 1 },
  { name: 'UINT8', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'INT8', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'UINT16', bits: 16, field: 'int32Data', perNumber: 1 },
  { name: 'INT16', bits: 16, field: 'int32Data', perNumber: 1 },
  { name: 'INT32', bits: 32, field: 'int32Data', perNumber: 1 },
  { name: 'INT64', bits: 64, field: 'int64Data', perNumber: 1 },
  { name: 'STRING', bits: 0, field: 'stringData', perNumber: 1 },
  { name: 'BOOL', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT16', bits: 16, field: 'int32Data', perNumber: 1 },
  { name: 'DOUBLE', bits: 64, field: 'doubleData', perNumber: 1 },
  { name: 'UINT32', bits: 32, field: 'uint64Data', perNumber: 1 },
  { name: 'UINT64', bits: 64, field: 'uint64Data', perNumber: 1 },
  { name: 'COMPLEX64', bits: 64, field: 'floatData', perNumber: 0.5 },
  { name: 'COMPLEX128', bits: 128, field: 'doubleData', perNumber: 0.5 },
  { name: 'BFLOAT16', bits: 16, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT8E4M3FN', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT8E4M3FNUZ', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT8E5M2', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT8E5M2FNUZ', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'UINT4', bits: 4, field: 'int32Data', perNumber: 2 },
  { name: 'INT4', bits: 4, field: 'int32Data', perNumber: 2 },
  { name: 'FLOAT4E2M1', bits: 4, field: 'int32Data', perNumber: 2 },
  { name: 'FLOAT8E8M0', bits: 8, field: 'int32Data', perNumber: 1 },
  { name: 'UINT2', bits: 2, field: 'int32Data', perNumber: 4 },
  { name: 'INT2', bits: 2, field: 'int32Data', perNumber: 4 },
  { name: 'FLOAT6E2M3', bits: 6, field: 'int32Data', perNumber: 1 },
  { name: 'FLOAT6E3M2', bits: 6, field: 'int32Data', perNumber: 1 },
];

/** The element type with this number of `TensorProto.DataType`, or undefined where ONNX has none. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  return ELEMENT_TYPES[dataType];
}

/** What to call an element type before people: the protocol's datatype where it has one, else ONNX's name. */
export function elementTypeLabel(dataType: number): string {
  return datatypeOfOnnx(dataType) ?? ELEMENT_TYPES[dataType]?.name ?? `type ${dataType}`;
}
