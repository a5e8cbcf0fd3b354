import { SelvageError } from '../../lib/errors.ts';
import { checkTensorData, shapeFits, shapeText } from '../../tensor/check-request.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';

/** The model's inputs for one run with a batch of 1, in the order of its signature. */
export interface Sample {
  readonly inputs: readonly Tensor[];
}

/** Samples of a model's inputs, read one at a time: memory does not grow with their number. */
export interface Dataset {
  readonly size: number;
  /** The model's inputs with the shape that every sample has; -1 where samples may differ. */
  readonly inputs: readonly TensorSpec[];
  /** Class by sample, in the model's output order; undefined where the data has no labels. */
  readonly labels: Int32Array | undefined;
  /** What it is, for people, such as `500 images in photos`. */
  readonly describe: string;
  /** What is odd about it but no reason to stop, a sentence each. */
  readonly warnings: readonly string[];
  /**
   * Reads a sample (0 ≤ index < size); its tensors stay valid. Throws DATA_INVALID where it cannot be read or holds
   * NaN or infinity, DATA_MISMATCH where it does not fit the model.
   */
  sample(index: number): Promise<Sample>;
  /** SHA-256 (hexadecimal) of the contents and the labels; the same wherever the data lies. Reads all of it. */
  fingerprint(): Promise<string>;
  /** Closes its files; no sample can be read afterwards. */
  close(): Promise<void>;
}

/** Bounds on data, so that a broken or hostile file is refused with a reason. */
export const DATA_LIMITS = {
  /** Samples in a data set. */
  samples: 1_000_000,
  /** Images in a folder. */
  images: 200_000,
  folderDepth: 16,
  imageBytes: 64 * 1024 * 1024,
  /** All inputs of one sample. */
  sampleBytes: 256 * 1024 * 1024,
  lineBytes: 64 * 1024 * 1024,
  labelsBytes: 32 * 1024 * 1024,
  /** Arrays of a compressed archive, unpacked on disk. */
  unpackedBytes: 4 * 1024 * 1024 * 1024,
  archiveEntries: 10_000,
} as const;

/** The error for data that is broken in itself. */
export function dataInvalid(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('DATA_INVALID', { path, problem }, cause);
}

/** The error for data that is not this model's. */
export function dataMismatch(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('DATA_MISMATCH', { path, problem }, cause);
}

/**
 * The tensors of a sample in the order of the signature. `what` names the sample in messages. Throws DATA_MISMATCH
 * where they are not what the model takes, DATA_INVALID where they hold NaN or infinity.
 */
export function checkedSample(
  path: string,
  what: string,
  tensors: readonly Tensor[],
  signature: ModelSignature,
): Sample {
  const unknown = tensors.find(({ name }) => !signature.inputs.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw dataMismatch(
      path,
      `${what} has an input '${unknown.name}'; the model has ${namesOf(signature.inputs)}`,
    );
  }
  const inputs = signature.inputs.map((spec) => {
    const [tensor, second] = tensors.filter(({ name }) => name === spec.name);
    if (tensor === undefined) throw dataMismatch(path, `${what} has no input '${spec.name}'`);
    if (second !== undefined) throw dataMismatch(path, `${what} has the input '${spec.name}' twice`);
    checkTensor(path, what, tensor, spec);
    return tensor;
  });
  return { inputs };
}

/** The inputs as every sample has them, from one of them: what the model leaves free may differ, except for the batch. */
export function sampleSpecs(sample: Sample, signature: ModelSignature): TensorSpec[] {
  return sample.inputs.map(({ name, datatype, shape }, at) => {
    const declared = signature.inputs[at]?.shape ?? [];
    return {
      name,
      datatype,
      shape: shape.map((size, axis) => (axis > 0 && declared[axis] === -1 ? -1 : size)),
    };
  });
}

/** Names of tensors for a message. */
export function namesOf(tensors: ReadonlyArray<{ readonly name: string }>): string {
  return tensors.map(({ name }) => `'${name}'`).join(', ');
}

function checkTensor(path: string, what: string, tensor: Tensor, spec: TensorSpec): void {
  if (tensor.datatype !== spec.datatype || !shapeFits(tensor.shape, spec.shape)) {
    throw dataMismatch(
      path,
      `input '${spec.name}' is ${spec.datatype} ${shapeText(spec.shape)}, ${what} has ${tensor.datatype} ${shapeText(tensor.shape)}`,
    );
  }
  if (tensor.shape.includes(0)) {
    throw dataInvalid(path, `${what} has no elements in input '${spec.name}': ${shapeText(tensor.shape)}`);
  }
  try {
    checkTensorData(tensor);
  } catch (error) {
    const problem = error instanceof SelvageError ? error.message : String(error);
    throw dataInvalid(path, `${what}: ${problem}`, error);
  }
  if (!['FP16', 'FP32', 'FP64'].includes(tensor.datatype)) return;
  const values = numbersOf(tensor) ?? [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (Number.isFinite(value)) continue;
    throw dataInvalid(path, `${what} has ${value} in input '${tensor.name}' at element ${index}`);
  }
}
