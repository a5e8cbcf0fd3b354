import { SelvageError } from '../lib/errors.ts';
import { describe, isObject, type JsonObject, malformed, parseJsonObject } from '../lib/json-document.ts';
import type { InferRequest, InferResponse, ModelSignature, RequestedOutput } from '../tensor/infer.ts';
import * as json from '../tensor/json-data.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { quoteLongIntegers } from './exact-integers.ts';
import * as binary from './oip-binary.ts';
import {
  checkNames,
  checkTensorParameters,
  readClassCount,
  readDatatype,
  readId,
  readInputParameters,
  readList,
  readName,
  readShape,
} from './oip-http-fields.ts';
import { booleanParameter, NO_PARAMETERS, readParameters } from './parameters.ts';
import { readSharedPart, type SharedPart, type SharedRegions } from './shared-part.ts';

/**
 * The Open Inference Protocol over HTTP: body bytes ↔ `InferRequest` / `InferResponse`. A body is JSON, followed by
 * the tensors that are sent in binary; each tensor, in and out, is in either form.
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
  /** Registered shared memory; undefined where the extension is off. */
  readonly regions?: SharedRegions | undefined;
}

/** What the response must look like: which outputs the client wants in binary. */
export interface ResponseEncoding {
  readonly outputs: readonly OutputEncoding[];
  /** For outputs not among `outputs`. */
  readonly binaryByDefault: boolean;
  /** Where outputs in shared memory go. */
  readonly regions?: SharedRegions | undefined;
}

interface OutputEncoding {
  readonly name: string;
  readonly binary: boolean;
  readonly shared?: SharedPart | undefined;
}

/** A decoded infer request, with how to answer it. */
export interface DecodedInfer {
  readonly request: InferRequest;
  readonly encoding: ResponseEncoding;
}

/** A response body, in pieces where joining them would copy large outputs once more. */
export interface EncodedInfer {
  /** Content-Type and, with binary outputs, Inference-Header-Content-Length. Names in lower case. */
  readonly headers: Record<string, string | number>;
  readonly body: Buffer | Buffer[];
  /** Bytes of the body in all: its Content-Length unless it is compressed. */
  readonly sizeBytes: number;
}

const ALL_JSON: ResponseEncoding = { outputs: [], binaryByDefault: false };
const ALL_BINARY: ResponseEncoding = { outputs: [], binaryByDefault: true };

/** Up to here one copy is cheaper than writing pieces to a socket. */
const ONE_PIECE_BYTES = 32_768;

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
  const { outputs, encoding } = readOutputs(document['outputs'], binaryByDefault, input.regions);
  return {
    request: {
      model: input.model,
      version: input.version,
      id: readId(document['id']),
      parameters,
      inputs: readInputs(document, body, jsonBytes, input.regions),
      outputs,
    },
    encoding,
  };
}

/** Encodes an infer response in the form the request asked for. Outputs in binary are not copied where they are large. */
export function encodeInferResponse(response: InferResponse, encoding: ResponseEncoding): EncodedInfer {
  const tensors: Tensor[] = [];
  const text = responseText(response, encoding, tensors);
  const jsonBytes = Buffer.byteLength(text);
  const sizeBytes = tensors.reduce((sum, tensor) => sum + tensor.data.byteLength, jsonBytes);
  return {
    headers:
      tensors.length > 0
        ? { 'content-type': 'application/octet-stream', 'inference-header-content-length': jsonBytes }
        : { 'content-type': 'application/json' },
    body: sizeBytes <= ONE_PIECE_BYTES ? onePiece(text, tensors, sizeBytes) : pieces(text, tensors),
    sizeBytes,
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

function readInputs(
  document: JsonObject,
  body: Buffer,
  jsonBytes: number,
  regions: SharedRegions | undefined,
): Tensor[] {
  const all = readList(document['inputs'], 'inputs');
  const cursor = { offset: jsonBytes };
  const exactInputs = lazily(() => exactDocument(body, jsonBytes));
  const inputs: Tensor[] = [];
  for (let index = 0; index < all.length; index++) {
    const one = all[index];
    if (!isObject(one)) throw malformed(`inputs[${index}]`, `expected an object, found ${describe(one)}`);
    inputs.push(readInput(one, index, body, cursor, exactInputs, regions));
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
  regions: SharedRegions | undefined,
): Tensor {
  const name = readName(input['name'], 'inputs', index);
  const datatype = readDatatype(input['datatype'], name);
  const spec: TensorSpec = { name, datatype, shape: readShape(input['shape'], name) };
  const parameters = readInputParameters(input['parameters'], name, regions !== undefined);
  const size = parameters['binary_data_size'] ?? undefined;
  const part = readSharedPart(parameters, `input '${name}'`);
  // Some clients send `data: null` beside a size.
  const jsonData = input['data'] ?? undefined;
  if (part !== undefined && size === undefined && jsonData === undefined && regions !== undefined) {
    return { name, datatype, shape: spec.shape, data: regions.read(part) };
  }
  if ((size === undefined) === (jsonData === undefined) || part !== undefined) {
    const found = size === undefined && part === undefined ? 'neither' : 'both';
    throw malformed(`input '${name}'`, `expected either data or parameters.binary_data_size, found ${found}`);
  }
  const data =
    size === undefined
      ? json.decodeTensorData(spec, jsonData, () => (exactInputs()[index] as JsonObject)['data'])
      : binary.decodeTensorData(spec, size, body, cursor);
  return { name, datatype, shape: spec.shape, data };
}

function readOutputs(
  value: unknown,
  binaryByDefault: boolean,
  regions: SharedRegions | undefined,
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
    const parameters = checkTensorParameters(one['parameters'] ?? NO_PARAMETERS, what, regions !== undefined);
    outputs.push({ name, classCount: readClassCount(parameters['classification'], what) });
    const binary = booleanParameter(parameters, 'binary_data', what, binaryByDefault);
    encodings.push({ name, binary, shared: readSharedPart(parameters, what) });
  }
  checkNames(outputs, 'outputs');
  return { outputs, encoding: { outputs: encodings, binaryByDefault, regions } };
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

/** The JSON of a response; the outputs that follow it in binary are put into `tensors`. */
function responseText(response: InferResponse, encoding: ResponseEncoding, tensors: Tensor[]): string {
  let text = response.id === undefined ? '{' : `{"id":${JSON.stringify(response.id)},`;
  text += `"model_name":${JSON.stringify(response.model)},"model_version":${JSON.stringify(response.version)}`;
  const parameters = JSON.stringify(response.parameters);
  if (parameters !== '{}') text += `,"parameters":${parameters}`;
  let separator = ',"outputs":[';
  for (const output of response.outputs) {
    text += `${separator}{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[${output.shape.join(',')}]`;
    const part = encoding.outputs.find(({ name }) => name === output.name)?.shared;
    if (part !== undefined && encoding.regions !== undefined) {
      encoding.regions.write(part, output.data);
      const { region, offset } = part;
      text += `,"parameters":{"shared_memory_region":${JSON.stringify(region)},"shared_memory_byte_size":${output.data.byteLength},"shared_memory_offset":${offset}}}`;
    } else if (isBinary(output.name, encoding)) {
      tensors.push(output);
      text += `,"parameters":{"binary_data_size":${output.data.byteLength}}}`;
    } else {
      text += `,"data":${json.encodeTensorData(output)}}`;
    }
    separator = ',';
  }
  return response.outputs.length === 0 ? `${text},"outputs":[]}` : `${text}]}`;
}

function isBinary(name: string, encoding: ResponseEncoding): boolean {
  for (const output of encoding.outputs) if (output.name === name) return output.binary;
  return encoding.binaryByDefault;
}

function onePiece(text: string, tensors: readonly Tensor[], sizeBytes: number): Buffer {
  const body = Buffer.allocUnsafe(sizeBytes);
  let offset = body.write(text);
  for (const tensor of tensors) offset = binary.encodeTensorData(tensor, body, offset);
  return body;
}

function pieces(text: string, tensors: readonly Tensor[]): Buffer[] {
  const views = tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return [Buffer.from(text), ...views];
}
