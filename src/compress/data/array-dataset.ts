import { shapeFits, shapeText } from '../../tensor/check-request.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import { type FileRange, rangeFingerprint } from './data-file.ts';
import { checkedSample, DATA_LIMITS, type Dataset, dataInvalid, dataMismatch } from './dataset.ts';
import type { NpyArray } from './npy-array.ts';
import type { OpenOptions } from './open-options.ts';

/** An array that gives an input of the model: row i of it for sample i. */
export interface InputArray {
  /** The input's name. */
  readonly name: string;
  readonly array: NpyArray;
}

/** What an array data set is made of. */
export interface ArrayDatasetParts {
  readonly path: string;
  /** The whole file, for the fingerprint. */
  readonly file: FileRange;
  /** One for each input of the model. */
  readonly arrays: readonly InputArray[];
  readonly warnings: readonly string[];
  readonly labels: Int32Array | undefined;
  close(): Promise<void>;
}

/**
 * The number of samples in arrays: the first dimension of all of them. Throws DATA_INVALID where they differ, where
 * one has no dimension, or where there are more than the limit.
 */
export function sampleCount(path: string, arrays: readonly InputArray[]): number {
  const [first, ...others] = arrays;
  const size = first?.array.shape[0];
  if (first === undefined || size === undefined) {
    throw dataInvalid(path, 'the array is a single value; its first dimension must be the samples');
  }
  const other = others.find(({ array }) => array.shape[0] !== size);
  if (other !== undefined) {
    throw dataInvalid(
      path,
      `${size} samples in '${first.name}' but ${other.array.shape[0] ?? 'a single value'} in '${other.name}'`,
    );
  }
  if (size > DATA_LIMITS.samples) {
    throw dataInvalid(path, `${size} samples are over the limit of ${DATA_LIMITS.samples}`);
  }
  return size;
}

/**
 * Samples from arrays. A row is the input without its batch dimension, or all of its shape (an input without batch,
 * a recurrent state). Throws DATA_MISMATCH where an array is not of its input's datatype or shape.
 */
export function arrayDataset(parts: ArrayDatasetParts, options: OpenOptions): Dataset {
  const { path, arrays, file, labels } = parts;
  const size = sampleCount(path, arrays);
  const inputs = arrays.map(({ name, array }) => sampleSpec(path, name, array, options));
  return {
    size,
    inputs,
    labels,
    describe: `${size} samples in ${path}`,
    warnings: parts.warnings,
    async sample(index) {
      const tensors: Tensor[] = [];
      for (const [at, { array }] of arrays.entries()) {
        tensors.push({ ...(inputs[at] as TensorSpec), data: await array.readRow(index) });
      }
      return checkedSample(path, `sample ${index}`, tensors, options.signature);
    },
    fingerprint: () => rangeFingerprint(path, file, labels),
    close: () => parts.close(),
  };
}

function sampleSpec(path: string, name: string, array: NpyArray, { signature }: OpenOptions): TensorSpec {
  const spec = signature.inputs.find((input) => input.name === name);
  if (spec === undefined) throw dataMismatch(path, `the model has no input '${name}'`);
  const { datatype } = array;
  if (datatype !== spec.datatype) {
    throw dataMismatch(
      path,
      `input '${name}' is ${spec.datatype}, the array holds ${datatype}: ${advice(datatype, spec)}`,
    );
  }
  const row = array.shape.slice(1);
  const shape = row.length === spec.shape.length ? row : [1, ...row];
  if (shapeFits(shape, spec.shape)) return { name, datatype, shape };
  throw dataMismatch(
    path,
    `input '${name}' is ${shapeText(spec.shape)}, the array ${shapeText(array.shape)} gives samples of ${shapeText(row)}`,
  );
}

function advice(found: string, spec: TensorSpec): string {
  if (found === 'UINT8' && spec.datatype.startsWith('FP')) {
    return 'these look like raw pixels; scale and normalize them as the model was trained with, or give the images themselves';
  }
  const name = spec.datatype.toLowerCase().replace(/^fp/, 'float');
  return `convert it with array.astype('${name}')`;
}
