import { SelvageError } from '../lib/errors.ts';
import { DATATYPE_NAMES, isDatatype } from '../tensor/datatype.ts';
import type { InferRequest, ModelSignature, RequestedOutput } from '../tensor/infer.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { quoteLongIntegers } from './exact-integers.ts';
import { describe, isObject, type JsonObject, malformed, parseJsonObject } from './json-document.ts';
import * as binary from './oip-binary.ts';
import type { OutputEncoding, ResponseEncoding } from './oip-http-response.ts';
import * as json from './oip-json.ts';
import { booleanParameter, NO_PARAMETERS, readParameters } from './parameters.ts';

/**
 * The Open Inference Protocol over HTTP: body bytes → `InferRequest`. A body is JSON, followed by the tensors that
 * are sent in binary; each tensor is in either form. `oip-http-response.ts` is the way out.
 */

/** An infer request as it came over HTTP. */
export interface HttpInferRequest {
  readonly model: string;
  readonly version?: string | undefined;
  readonly body: Buffer;
  /** The header Inference-Header-Content-Length (see `parseHeaderLength`); undefined: the whole body is JSON. */
  readonly headerLength: number | undefined;
  /** Needed for the raw form (header 0) only; undefined while the model's file was not read yet. */
  readonly signature: ModelSignature | undefined;
}

/** A decoded infer request, with how to answer it. */
export interface DecodedInfer {
  readonly request: InferRequest;
  readonly encoding: ResponseEncoding;
}

const ALL_JSON: ResponseEncoding = { outputs: [], binaryByDefault: false };
const ALL_BINARY: ResponseEncoding = { outputs: [], binaryByDefault: true };

const MAX_TENSORS = 1024;
const MAX_NAME_LENGTH = 1024;
const MAX_ID_BYTES = 1024;
const MAX_RANK = 32;
const MAX_DIMENSION = 2 ** 31 - 1;
const MAX_ELEMENTS = 2 ** 40;

/**
 * The value of the header Inference-Header-Content-Length, undefined where the request has none. Throws
 * REQUEST_MALFORMED where it is not a non-negative integer.
 */
export function parseHeaderLength(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const length = Number(header);
  // Number() takes '', '0x10' and '1e3' too: only the canonical decimal form is left.
  if (!Number.isSafeInteger(length) || length < 0 || String(length) !== header.trim()) {
    throw malformed(
      'Inference-Header-Content-Length',
      `expected a number of bytes, found ${describe(header)}`,
    );
  }
  return length;
}

/**
 * Decodes an infer request. Binary inputs are views on the body, so the body must stay as it is while the request
 * lives. Whether the inputs are what the model takes is for `checkRequest`; everything about their form is checked
 * here. Throws REQUEST_MALFORMED, INPUT_MISMATCH, DATATYPE_UNSUPPORTED, NOT_SUPPORTED (shared memory) or
 * MODEL_NOT_READY (raw form while the signature is unknown).
 */
export function decodeInferRequest(input: HttpInferRequest): DecodedInfer {
  const { body, headerLength } = input;
  if (headerLength === 0) return decodeRaw(input);
  const jsonBytes = headerLength ?? body.byteLength;
  if (jsonBytes > body.byteLength) {
    throw malformed(
      'Inference-Header-Content-Length',
      `${jsonBytes} bytes of JSON, but the body has ${body.byteLength}`,
    );
  }
  const document = parseJsonObject(body, jsonBytes);
  const parameters = readParameters(document['parameters'], 'parameters');
  const binaryByDefault = booleanParameter(parameters, 'binary_data_output', 'parameters', false);
  const { outputs, encoding } = readOutputs(document['outputs'], binaryByDefault);
  return {
    request: {
      model: input.model,
      version: input.version,
      id: readId(document['id']),
      parameters,
      inputs: readInputs(document, body, jsonBytes),
      outputs,
    },
    encoding,
  };
}

function decodeRaw(input: HttpInferRequest): DecodedInfer {
  const { model, version, body, signature } = input;
  if (signature === undefined) {
    throw SelvageError.of('MODEL_NOT_READY', { model, reason: 'its file has not been read yet' });
  }
  const inputs = [binary.decodeRawTensor(body, signature)];
  return { request: { model, version, parameters: NO_PARAMETERS, inputs }, encoding: ALL_BINARY };
}

function readInputs(document: JsonObject, body: Buffer, jsonBytes: number): Tensor[] {
  const all = readList(document['inputs'], 'inputs');
  const cursor = { offset: jsonBytes };
  const exactInputs = lazily(() => exactDocument(body, jsonBytes));
  const inputs: Tensor[] = [];
  for (let index = 0; index < all.length; index++) {
    const one = all[index];
    if (!isObject(one)) throw malformed(`inputs[${index}]`, `expected an object, found ${describe(one)}`);
    inputs.push(readInput(one, index, body, cursor, exactInputs));
  }
  binary.checkConsumed(body, cursor);
  checkNames(inputs, 'inputs');
  return inputs;
}

function readInput(
  input: JsonObject,
  index: number,
  body: Buffer,
  cursor: binary.BinaryCursor,
  exactInputs: () => unknown[],
): Tensor {
  const name = readName(input['name'], 'inputs', index);
  const datatype = input['datatype'];
  if (!isDatatype(datatype)) {
    throw SelvageError.of('DATATYPE_UNSUPPORTED', {
      tensor: name,
      datatype: describe(datatype),
      supported: DATATYPE_NAMES.join(', '),
    });
  }
  const spec: TensorSpec = { name, datatype, shape: readShape(input['shape'], name) };
  const size = readBinarySize(input['parameters'], name);
  // Some clients send `data: null` beside a size.
  const jsonData = input['data'] ?? undefined;
  if ((size === undefined) === (jsonData === undefined)) {
    const found = size === undefined ? 'neither' : 'both';
    throw malformed(`input '${name}'`, `expected either data or parameters.binary_data_size, found ${found}`);
  }
  const data =
    size === undefined
      ? json.decodeTensorData(spec, jsonData, () => (exactInputs()[index] as JsonObject)['data'])
      : binary.decodeTensorData(spec, size, body, cursor);
  return { name, datatype, shape: spec.shape, data };
}

function readShape(shape: unknown, tensor: string): readonly number[] {
  if (!Array.isArray(shape)) {
    throw malformed(`input '${tensor}'`, `shape: expected an array of integers, found ${describe(shape)}`);
  }
  if (shape.length > MAX_RANK) {
    throw malformed(
      `input '${tensor}'`,
      `shape: expected at most ${MAX_RANK} dimensions, found ${shape.length}`,
    );
  }
  let count = 1;
  for (const dimension of shape as readonly unknown[]) {
    if (!Number.isInteger(dimension) || (dimension as number) < 0 || (dimension as number) > MAX_DIMENSION) {
      throw malformed(
        `input '${tensor}'`,
        `shape: expected integers between 0 and ${MAX_DIMENSION}, found ${describe(dimension)}`,
      );
    }
    count *= dimension as number;
    if (count > MAX_ELEMENTS) {
      throw malformed(
        `input '${tensor}'`,
        `shape: [${shape.join(',')}] is more than ${MAX_ELEMENTS} elements`,
      );
    }
  }
  return shape as readonly number[];
}

/** `binary_data_size` as it stands; null counts as absent. */
function readBinarySize(parameters: unknown, tensor: string): unknown {
  if (parameters === undefined || parameters === null) return undefined;
  const known = checkTensorParameters(parameters, `input '${tensor}'`);
  return known['binary_data_size'] ?? undefined;
}

function checkTensorParameters(parameters: unknown, what: string): JsonObject {
  if (!isObject(parameters)) {
    throw malformed(what, `parameters: expected an object, found ${describe(parameters)}`);
  }
  for (const name in parameters) {
    const value = parameters[name];
    if (typeof value === 'object' && value !== null) {
      throw malformed(
        what,
        `parameters: ${describe(name)}: expected a string, number or boolean, found ${describe(value)}`,
      );
    }
    if (name === 'shared_memory_region') throw SelvageError.of('NOT_SUPPORTED', { feature: 'shared memory' });
  }
  return parameters;
}

function readOutputs(
  value: unknown,
  binaryByDefault: boolean,
): { outputs: RequestedOutput[] | undefined; encoding: ResponseEncoding } {
  // An empty list asks for nothing in particular: all outputs, as Triton has it.
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    return { outputs: undefined, encoding: binaryByDefault ? ALL_BINARY : ALL_JSON };
  }
  const outputs: RequestedOutput[] = [];
  const encodings: OutputEncoding[] = [];
  const all = readList(value, 'outputs');
  for (let index = 0; index < all.length; index++) {
    const one = all[index];
    if (!isObject(one)) throw malformed(`outputs[${index}]`, `expected an object, found ${describe(one)}`);
    const name = readName(one['name'], 'outputs', index);
    const what = `output '${name}'`;
    const parameters = checkTensorParameters(one['parameters'] ?? NO_PARAMETERS, what);
    outputs.push({ name, classCount: readClassCount(parameters['classification'], what) });
    encodings.push({ name, binary: booleanParameter(parameters, 'binary_data', what, binaryByDefault) });
  }
  checkNames(outputs, 'outputs');
  return { outputs, encoding: { outputs: encodings, binaryByDefault } };
}

function readClassCount(value: unknown, what: string): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw malformed(what, `classification: expected a number of classes, found ${describe(value)}`);
  }
  return value as number;
}

function readList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what, `expected an array, found ${describe(value)}`);
  if (value.length > MAX_TENSORS) {
    throw malformed(what, `expected at most ${MAX_TENSORS}, found ${value.length}`);
  }
  return value;
}

function readName(name: unknown, what: string, index: number): string {
  if (typeof name !== 'string' || name.length === 0 || name.length > MAX_NAME_LENGTH) {
    const expected = `a string of 1 to ${MAX_NAME_LENGTH} characters`;
    throw malformed(`${what}[${index}]`, `name: expected ${expected}, found ${describe(name)}`);
  }
  return name;
}

function readId(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id !== 'string') throw malformed('id', `expected a string, found ${describe(id)}`);
  if (Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw malformed('id', `expected at most ${MAX_ID_BYTES} bytes, found ${Buffer.byteLength(id)}`);
  }
  return id;
}

function checkNames(all: readonly { readonly name: string }[], what: string): void {
  if (all.length < 2) return;
  const names = new Set<string>();
  for (const { name } of all) {
    if (names.has(name)) throw malformed(what, `'${name}' is there more than once`);
    names.add(name);
  }
}

/** The inputs of the same JSON, with long integers as strings. It parsed once, so it does again. */
function exactDocument(body: Buffer, jsonBytes: number): unknown[] {
  const document = JSON.parse(quoteLongIntegers(body.toString('utf8', 0, jsonBytes))) as {
    inputs: unknown[];
  };
  return document.inputs;
}

function lazily<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
