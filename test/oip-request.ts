import { type DecodedInfer, decodeInferRequest } from '../src/protocol/oip-http.ts';
import type { ModelSignature } from '../src/tensor/infer.ts';
import { bytesOf } from '../src/tensor/tensor.ts';

/** A model with one input x and one output y, both FP32 [-1, 2]. */
export const signature: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
};

/** The FP32 elements 1.5, -2, 3, 4. */
export const floats = Buffer.from(bytesOf(Float32Array.of(1.5, -2, 3, 4)));

/** Decodes a request body: JSON, then `tail` with the header that says where it begins. */
export function decode(json: unknown, tail?: Buffer, headerLength?: number): DecodedInfer {
  const head = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  return decodeInferRequest({
    model: 'm',
    body: tail === undefined ? head : Buffer.concat([head, tail]),
    headerLength: headerLength ?? (tail === undefined ? undefined : head.byteLength),
    signature,
  });
}

/** A request whose one input x has these data in JSON. */
export function x(data: unknown, datatype = 'FP32', shape: unknown = [2, 2]): unknown {
  return { inputs: [{ name: 'x', datatype, shape, data }] };
}

/** An FP32 input that is sent in binary. */
export function binaryInput(name: string, size: unknown, shape: unknown = [2, 2]): unknown {
  return { name, datatype: 'FP32', shape, parameters: { binary_data_size: size } };
}
