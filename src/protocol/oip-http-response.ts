import type { InferResponse } from '../tensor/infer.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as binary from './oip-binary.ts';
import * as json from './oip-json.ts';

/** The Open Inference Protocol over HTTP: `InferResponse` → body bytes. `oip-http-request.ts` is the way in. */

/** What the response must look like: which outputs the client wants in binary. */
export interface ResponseEncoding {
  readonly outputs: readonly OutputEncoding[];
  /** For outputs not among `outputs`. */
  readonly binaryByDefault: boolean;
}

/** The form of one output. */
export interface OutputEncoding {
  readonly name: string;
  readonly binary: boolean;
}

/** A response body, in pieces where joining them would copy large outputs once more. */
export interface EncodedInfer {
  /** Content-Type and, with binary outputs, Inference-Header-Content-Length. Names in lower case. */
  readonly headers: Record<string, string | number>;
  readonly body: Buffer | Buffer[];
  /** Bytes of the body in all: its Content-Length unless it is compressed. */
  readonly sizeBytes: number;
}

/** Up to here one copy is cheaper than writing pieces to a socket. */
const ONE_PIECE_BYTES = 32_768;

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

/** The JSON of a response; the outputs that follow it in binary are put into `tensors`. */
function responseText(response: InferResponse, encoding: ResponseEncoding, tensors: Tensor[]): string {
  let text = response.id === undefined ? '{' : `{"id":${JSON.stringify(response.id)},`;
  text += `"model_name":${JSON.stringify(response.model)},"model_version":${JSON.stringify(response.version)}`;
  const parameters = JSON.stringify(response.parameters);
  if (parameters !== '{}') text += `,"parameters":${parameters}`;
  let separator = ',"outputs":[';
  for (const output of response.outputs) {
    text += `${separator}{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[${output.shape.join(',')}]`;
    if (isBinary(output.name, encoding)) {
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
