import type { Datatype } from '../../tensor/datatype.ts';

/** Bytes that are enough for the header of any array served here; NumPy pads it to 128 and keeps it on one line. */
export const MAX_NPY_HEADER_BYTES = 64 * 1024;

const MAGIC = '\x93NUMPY';
const MAX_RANK = 32;

/** NumPy's type codes (after the byte order) and the datatype each is. */
const DATATYPES_BY_CODE: Readonly<Record<string, Datatype>> = {
  b1: 'BOOL',
  u1: 'UINT8',
  u2: 'UINT16',
  u4: 'UINT32',
  u8: 'UINT64',
  i1: 'INT8',
  i2: 'INT16',
  i4: 'INT32',
  i8: 'INT64',
  f2: 'FP16',
  f4: 'FP32',
  f8: 'FP64',
};

/** What the header of a `.npy` file says. */
export interface NpyHeader {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Where the elements begin, in bytes. */
  readonly dataOffset: number;
}

/** Whether bytes begin as a `.npy` file does. */
export function isNpy(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, MAGIC.length) === MAGIC;
}

/**
 * Reads the header at the beginning of a `.npy` file (format 1.0, 2.0 or 3.0 of numpy.lib.format): the first
 * `MAX_NPY_HEADER_BYTES` bytes, or all where there are fewer, are enough. Returns what is wrong as a string where it
 * is no array that can be served.
 */
export function readNpyHeader(bytes: Buffer): NpyHeader | string {
  if (!isNpy(bytes) || bytes.length < 10) return 'is not a NumPy array (.npy)';
  const version = bytes[6] as number;
  if (version < 1 || version > 3)
    return `is in version ${version} of the .npy format; 1, 2 and 3 can be read`;
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) return 'ends inside its header';
  const sizeBytes = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const dataOffset = start + sizeBytes;
  if (dataOffset > MAX_NPY_HEADER_BYTES)
    return `has a header of ${sizeBytes} bytes, which no plain array needs`;
  if (dataOffset > bytes.length) return 'ends inside its header';
  const text = bytes.toString(version === 3 ? 'utf8' : 'latin1', start, dataOffset);
  return readDictionary(text, dataOffset);
}

/** The header is a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (100, 3), }`. */
function readDictionary(text: string, dataOffset: number): NpyHeader | string {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const dimensions = /'shape'\s*:\s*\(([^)]*)\)/.exec(text)?.[1];
  if (order === undefined || dimensions === undefined) return 'has a damaged header';
  if (descr === undefined) return 'holds records, not plain elements: save each field as an array of its own';
  const shape = readShape(dimensions);
  if (typeof shape === 'string') return shape;
  if (order === 'True') {
    return 'is in Fortran order: save it with numpy.save(file, numpy.ascontiguousarray(array))';
  }
  if (/^>.*[^1]$/.test(descr))
    return `is big-endian (${descr}): save it with array.astype('${descr.slice(1)}')`;
  const datatype = /^[<|=>]?([a-zA-Z]\d+)$/.exec(descr)?.[1];
  const known = datatype === undefined ? undefined : DATATYPES_BY_CODE[datatype];
  if (known === undefined) {
    return `holds elements of type '${descr}'; booleans, integers and floats of 16 to 64 bits can be read`;
  }
  return { datatype: known, shape, dataOffset };
}

function readShape(text: string): number[] | string {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();
  if (parts.length > MAX_RANK) return `has ${parts.length} dimensions; at most ${MAX_RANK} can be read`;
  if (!parts.every((part) => /^\d{1,15}$/.test(part))) return 'has a damaged header';
  return parts.map(Number);
}
