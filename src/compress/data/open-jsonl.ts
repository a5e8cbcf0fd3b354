import { SelvageError } from '../../lib/errors.ts';
import { isObject, type JsonObject, parseJsonObject } from '../../lib/json-document.ts';
import { DATATYPES, isDatatype } from '../../tensor/datatype.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import { decodeTensorData } from '../../tensor/json-data.ts';
import { elementCount, joinBytes, splitBytes, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import { classIndex, labelsInvalid } from './class-index.ts';
import { type FileRange, openDataFile, rangeFingerprint, readRange } from './data-file.ts';
import {
  checkedSample,
  DATA_LIMITS,
  type Dataset,
  dataInvalid,
  dataMismatch,
  sampleSpecs,
} from './dataset.ts';
import { type Line, linesOf } from './json-lines.ts';
import { readLabelsFile } from './labels-file.ts';
import type { OpenOptions } from './open-options.ts';

/** Where a sample lies: a row of the request on a line. */
interface Place {
  readonly line: Line;
  readonly row: number;
  /** Rows of the request; 1 where it is one sample as it is. */
  readonly rows: number;
}

/**
 * Recorded inference requests of the Open Inference Protocol, one JSON object a line, with the tensors' `data` as
 * arrays; `label` beside `inputs` is optional (a class, or one for each row). A request with a batch is as many
 * samples. Every line is parsed once when the file is opened, and again when one of its samples is asked for. Throws
 * DATA_EMPTY, DATA_INVALID, DATA_MISMATCH, LABELS_INVALID or FILE_UNREADABLE.
 */
export async function openJsonl(path: string, options: OpenOptions): Promise<Dataset> {
  const file = await openDataFile(path);
  try {
    const { places, labels: own } = await indexLines(path, file, options);
    const size = places.length;
    if (size === 0) throw SelvageError.of('DATA_EMPTY', { path, problem: 'holds no requests' });
    const labels =
      options.labels === undefined ? own : await readLabelsFile(options.labels, { ...options, size });
    const readSample = async (index: number) => {
      const place = places[index] as Place;
      const tensors = tensorsOf(path, place.line, await readLine(path, file, place.line));
      const rows = tensors.map((tensor) => rowOf(tensor, place));
      return checkedSample(path, `line ${place.line.number}`, rows, options.signature);
    };
    const first = await readSample(0);
    return {
      size,
      inputs: sampleSpecs(first, options.signature),
      labels,
      describe: `${size} recorded samples in ${path}`,
      warnings: [],
      sample: readSample,
      fingerprint: () => rangeFingerprint(path, file, labels),
      close: () => file.handle.close(),
    };
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

async function indexLines(
  path: string,
  file: FileRange,
  options: OpenOptions,
): Promise<{ places: Place[]; labels: Int32Array | undefined }> {
  const places: Place[] = [];
  const labels: number[] = [];
  for await (const { line, bytes } of linesOf(path, file)) {
    const document = parseLine(path, line, bytes);
    const rows = batchOf(tensorSpecs(path, line, document), options.signature);
    if (places.length + rows > DATA_LIMITS.samples) {
      throw dataInvalid(path, `holds more than ${DATA_LIMITS.samples} samples`);
    }
    for (let row = 0; row < rows; row++) places.push({ line, row, rows });
    for (const label of rowLabels(path, line, document['label'], rows, options)) labels.push(label);
  }
  if (labels.length > 0 && labels.length !== places.length && options.labels === undefined) {
    throw labelsInvalid(
      path,
      `${labels.length} of ${places.length} samples have a label: give all of them one, or none`,
    );
  }
  return { places, labels: labels.length > 0 ? Int32Array.from(labels) : undefined };
}

function rowLabels(path: string, line: Line, label: unknown, rows: number, options: OpenOptions): number[] {
  if (label === undefined || label === null || options.labels !== undefined) return [];
  const all: readonly unknown[] = Array.isArray(label) ? label : [label];
  if (all.length !== rows) {
    throw labelsInvalid(path, `line ${line.number} has ${all.length} labels for ${rows} samples`);
  }
  return all.map((one) => classIndex(path, `the label on line ${line.number}`, one, options));
}

async function readLine(path: string, file: FileRange, line: Line): Promise<JsonObject> {
  return parseLine(path, line, await readRange(path, file, line.offset, line.sizeBytes));
}

function parseLine(path: string, line: Line, bytes: Buffer): JsonObject {
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    const problem =
      error instanceof SelvageError ? error.message.replace('request body: ', '') : String(error);
    throw dataInvalid(path, `line ${line.number}: ${problem}`, error);
  }
}

/** The inputs of a request without their data. */
function tensorSpecs(path: string, line: Line, document: JsonObject): Array<TensorSpec & { data: unknown }> {
  const { inputs } = document;
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw dataInvalid(path, `line ${line.number} is no inference request: it has no array "inputs"`);
  }
  return inputs.map((input: unknown) => {
    const { name, datatype, shape, data } = isObject(input) ? input : {};
    if (typeof name !== 'string' || !isDatatype(datatype) || !isShape(shape)) {
      throw dataInvalid(
        path,
        `line ${line.number}: an input needs "name", "datatype" and "shape" of the protocol`,
      );
    }
    if (data === undefined) {
      throw dataInvalid(
        path,
        `line ${line.number}: input '${name}' has no "data" (binary data cannot be recorded in JSON lines)`,
      );
    }
    return { name, datatype, shape, data };
  });
}

function isShape(value: unknown): value is number[] {
  if (!Array.isArray(value) || value.length > 32) return false;
  return (
    value.every((size) => Number.isSafeInteger(size) && size >= 0) &&
    Number.isSafeInteger(elementCount(value))
  );
}

/** Rows that can stand alone: the common first dimension of inputs whose first dimension the model leaves free, else 1. */
function batchOf(specs: readonly TensorSpec[], signature: ModelSignature): number {
  const rows = specs[0]?.shape[0] ?? 1;
  const isBatch = specs.every(({ shape }) => shape[0] === rows);
  const isFree = signature.inputs.every(({ shape }) => shape[0] === -1);
  return isBatch && isFree && rows > 0 ? rows : 1;
}

function tensorsOf(path: string, line: Line, document: JsonObject): Tensor[] {
  return tensorSpecs(path, line, document).map(({ data, ...spec }) => {
    try {
      return { ...spec, data: decodeTensorData(spec, data, () => data) };
    } catch (error) {
      if (!(error instanceof SelvageError)) throw error;
      throw dataMismatch(path, `line ${line.number}: ${error.message}`, error);
    }
  });
}

function rowOf(tensor: Tensor, { row, rows }: Place): Tensor {
  if (rows === 1) return tensor;
  const shape = [1, ...tensor.shape.slice(1)];
  const elements = elementCount(shape);
  if (tensor.datatype === 'BYTES') {
    const all = splitBytes(tensor.data) ?? [];
    return { ...tensor, shape, data: joinBytes(all.slice(row * elements, (row + 1) * elements)) };
  }
  const rowBytes = elements * DATATYPES[tensor.datatype].bytes;
  return { ...tensor, shape, data: tensor.data.subarray(row * rowBytes, (row + 1) * rowBytes) };
}
