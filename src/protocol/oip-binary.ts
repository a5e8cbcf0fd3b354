import { SelvageError } from '../lib/errors.ts';
import { describe, malformed } from '../lib/json-document.ts';
import { shapeText } from '../tensor/check-request.ts';
import { DATATYPES } from '../tensor/datatype.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import { joinBytes, type Tensor, type TensorSpec } from '../tensor/tensor.ts';

/**
 * Tensor data in binary (the protocol's binary tensor data extension): after the JSON, one tensor after another in
 * the order of the JSON, little-endian, row-major, without padding. `tensor/json-data.ts` is its twin for the JSON form.
 */

/** Where the next binary tensor begins in a request body. */
export interface BinaryCursor {
  offset: number;
}

/**
 * The bytes of an input with `binary_data_size`, as a view on the body; moves the cursor past them. Throws
 * REQUEST_MALFORMED where the size is no size, or the body does not hold as many bytes.
 */
export function decodeTensorData(
  input: TensorSpec,
  size: unknown,
  body: Buffer,
  cursor: BinaryCursor,
): Uint8Array {
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(
      `input '${input.name}'`,
      `binary_data_size: expected a number of bytes, found ${describe(size)}`,
    );
  }
  const start = cursor.offset;
  const left = body.byteLength - start;
  if (size > left) {
    throw malformed(
      `input '${input.name}'`,
      `binary_data_size is ${size}, but ${left} bytes are left after the JSON and the tensors before it (Inference-Header-Content-Length says where the JSON ends)`,
    );
  }
  cursor.offset = start + size;
  return new Uint8Array(body.buffer, body.byteOffset + start, size);
}

/** Checks that the binary tensors fill the body. Throws REQUEST_MALFORMED where bytes are left over. */
export function checkConsumed(body: Buffer, cursor: BinaryCursor): void {
  const left = body.byteLength - cursor.offset;
  if (left === 0) return;
  throw malformed(
    'request body',
    `${left} bytes follow the last tensor; the JSON and every binary_data_size together must make up the body`,
  );
}

/** Copies a tensor's bytes into a response body at `offset`; returns the offset after them. */
export function encodeTensorData(tensor: Tensor, body: Buffer, offset: number): number {
  body.set(tensor.data, offset);
  return offset + tensor.data.byteLength;
}

/**
 * The whole body as the one input of a model (`Inference-Header-Content-Length: 0`) with batch 1: the first of
 * several free dimensions is 1, the last one left follows from the byte count. For BYTES the body is one element
 * without its length. Throws REQUEST_MALFORMED or INPUT_MISMATCH where that does not determine the tensor.
 */
export function decodeRawTensor(body: Buffer, signature: ModelSignature): Tensor {
  const [spec] = signature.inputs;
  if (spec === undefined || signature.inputs.length !== 1) {
    throw malformed(
      'Inference-Header-Content-Length',
      `0 says that the body is the only input, but the model has ${signature.inputs.length}`,
    );
  }
  const { name, datatype } = spec;
  if (datatype === 'BYTES') {
    return { name, datatype, shape: rawShape(spec, 1, 'element'), data: joinBytes([body]) };
  }
  const { bytes } = DATATYPES[datatype];
  const shape = rawShape(spec, body.byteLength / bytes, 'elements');
  return { name, datatype, shape, data: body };
}

function rawShape(spec: TensorSpec, count: number, unit: string): readonly number[] {
  const shape = [...spec.shape];
  const free = shape.filter((dimension) => dimension < 0).length;
  if (free > 1 && (shape[0] as number) < 0) shape[0] = 1;
  const axis = shape.findIndex((dimension) => dimension < 0);
  if (axis >= 0) {
    const fixed = shape.reduce((product, dimension) => (dimension < 0 ? product : product * dimension), 1);
    shape[axis] = fixed === 0 ? 0 : count / fixed;
  }
  const product = shape.reduce((all, dimension) => all * dimension, 1);
  if (product !== count || shape.some((dimension) => !Number.isInteger(dimension) || dimension < 0)) {
    throw SelvageError.of('INPUT_MISMATCH', {
      input: spec.name,
      expected: `a body that is one ${spec.datatype} tensor of shape ${shapeText(spec.shape)} with batch 1`,
      found: `${count} ${unit}`,
    });
  }
  return shape;
}
