import { DATATYPES, type Datatype } from '../../tensor/datatype.ts';
import { elementCount } from '../../tensor/tensor.ts';
import { type FileRange, readRange } from './data-file.ts';
import { DATA_LIMITS, dataInvalid } from './dataset.ts';
import { MAX_NPY_HEADER_BYTES, readNpyHeader } from './npy-header.ts';

/** An array in a file, of which rows (slices along the first axis) are read on demand. */
export interface NpyArray {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Bytes of one row. */
  readonly rowBytes: number;
  /** The elements of a row, little-endian. Throws DATA_INVALID where the file was cut off meanwhile. */
  readRow(row: number): Promise<Buffer>;
  /** All elements; for small arrays such as labels. */
  readAll(): Promise<Buffer>;
}

/**
 * An array in the range of a file. Throws DATA_INVALID where it is no array that can be served, where the file does
 * not hold exactly the elements that its header announces, or where a row is over the limit of a sample. `path` names
 * it in messages.
 */
export async function openNpyArray(path: string, range: FileRange): Promise<NpyArray> {
  const head = await readRange(path, range, 0, Math.min(range.sizeBytes, MAX_NPY_HEADER_BYTES));
  const header = readNpyHeader(head);
  if (typeof header === 'string') throw dataInvalid(path, header);
  const { datatype, shape, dataOffset } = header;
  const dataBytes = elementCount(shape) * DATATYPES[datatype].bytes;
  const foundBytes = range.sizeBytes - dataOffset;
  if (dataBytes !== foundBytes) {
    const problem = `its header announces ${dataBytes} bytes of ${datatype} elements, there are ${foundBytes}`;
    throw dataInvalid(path, problem);
  }
  const rowBytes = elementCount(shape.slice(1)) * DATATYPES[datatype].bytes;
  if (rowBytes > DATA_LIMITS.sampleBytes) {
    throw dataInvalid(path, `${rowBytes} bytes a sample are over the limit of ${DATA_LIMITS.sampleBytes}`);
  }
  return {
    datatype,
    shape,
    rowBytes,
    readRow: (row) => readRange(path, range, dataOffset + row * rowBytes, rowBytes),
    readAll: () => {
      if (dataBytes > DATA_LIMITS.labelsBytes) {
        throw dataInvalid(path, `${dataBytes} bytes are over the limit of ${DATA_LIMITS.labelsBytes}`);
      }
      return readRange(path, range, dataOffset, dataBytes);
    },
  };
}
