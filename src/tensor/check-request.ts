import { isUtf8 } from 'node:buffer';
import { SelvageError } from '../lib/errors.ts';
import type { InferRequest, ModelSignature } from './infer.ts';
import { elementCount, expectedBytes, type Tensor, type TensorSpec } from './tensor.ts';

/**
 * Holds a request against what the model takes and gives, whatever protocol it came in: every input known, sent
 * once and of the right datatype, rank, shape and bytes; every output known. The runtime would ignore unknown
 * names and cut strings at NUL without a word. Throws INPUT_UNKNOWN, INPUT_MISSING, INPUT_MISMATCH or
 * OUTPUT_UNKNOWN.
 */
export function checkRequest(request: InferRequest, signature: ModelSignature): void {
  for (const input of request.inputs) {
    const spec = find(signature.inputs, input.name);
    if (spec === undefined) {
      throw SelvageError.of('INPUT_UNKNOWN', {
        model: request.model,
        input: input.name,
        expected: namesOf(signature.inputs),
      });
    }
    checkSpec(input, spec);
    checkTensorData(input);
  }
  checkEachOnce(request, signature);
  for (const output of request.outputs ?? []) {
    if (find(signature.outputs, output.name) !== undefined) continue;
    throw SelvageError.of('OUTPUT_UNKNOWN', {
      model: request.model,
      output: output.name,
      expected: namesOf(signature.outputs),
    });
  }
}

/**
 * Checks that a tensor's bytes are what its datatype and shape say: the exact count, for BOOL nothing but 0 and 1,
 * and for BYTES elements that fill the data and are UTF-8 without NUL, which is what the runtime can take. Throws
 * INPUT_MISMATCH.
 */
export function checkTensorData(tensor: Tensor): void {
  const expected = expectedBytes(tensor.datatype, tensor.shape);
  if (expected === undefined) {
    checkElements(tensor);
  } else if (tensor.data.byteLength !== expected) {
    throw mismatch(
      tensor.name,
      `${expected} bytes for ${tensor.datatype} ${shapeText(tensor.shape)}`,
      `${tensor.data.byteLength} bytes`,
    );
  } else if (tensor.datatype === 'BOOL') {
    const wrong = tensor.data.findIndex((byte) => byte > 1);
    if (wrong >= 0) {
      throw mismatch(tensor.name, 'BOOL bytes 0 and 1', `${tensor.data[wrong]} as element ${wrong}`);
    }
  }
}

/** A shape as people write it, such as `[1,3,224,224]`; a free dimension as -1. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}

function checkEachOnce(request: InferRequest, signature: ModelSignature): void {
  for (const { name } of signature.inputs) {
    let count = 0;
    for (const input of request.inputs) if (input.name === name) count += 1;
    if (count === 0) throw SelvageError.of('INPUT_MISSING', { model: request.model, input: name });
    if (count > 1) throw mismatch(name, 'the input once', `it ${count} times`);
  }
}

function checkSpec(input: Tensor, spec: TensorSpec): void {
  if (input.datatype !== spec.datatype) {
    throw mismatch(input.name, `datatype ${spec.datatype}`, `datatype ${input.datatype}`);
  }
  if (!shapeFits(input.shape, spec.shape)) {
    throw mismatch(input.name, `shape ${shapeText(spec.shape)}`, `shape ${shapeText(input.shape)}`);
  }
}

/** Whether a shape is one that a declared shape allows: the same rank, and each dimension equal where it is not -1. */
export function shapeFits(shape: readonly number[], declared: readonly number[]): boolean {
  if (shape.length !== declared.length) return false;
  for (let axis = 0; axis < shape.length; axis++) {
    const wanted = declared[axis] as number;
    if (wanted >= 0 && wanted !== shape[axis]) return false;
  }
  return true;
}

function checkElements(tensor: Tensor): void {
  const { data } = tensor;
  const expected = `${elementCount(tensor.shape)} BYTES elements, each a u32 length and UTF-8 text without NUL`;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let count = 0;
  let offset = 0;
  while (offset < data.byteLength) {
    const start = offset + 4;
    if (start > data.byteLength) {
      throw mismatch(tensor.name, expected, `a length cut off in element ${count}`);
    }
    const end = start + view.getUint32(offset, true);
    if (end > data.byteLength) {
      throw mismatch(
        tensor.name,
        expected,
        `element ${count} ending ${end - data.byteLength} bytes past the data`,
      );
    }
    const element = data.subarray(start, end);
    if (element.includes(0)) throw mismatch(tensor.name, expected, `a NUL byte in element ${count}`);
    if (!isUtf8(element)) throw mismatch(tensor.name, expected, `element ${count}, which is not UTF-8`);
    count += 1;
    offset = end;
  }
  if (count !== elementCount(tensor.shape)) throw mismatch(tensor.name, expected, `${count} elements`);
}

/** A plain loop: tensors are few, and this runs on every request. */
function find<Named extends { readonly name: string }>(
  all: readonly Named[],
  name: string,
): Named | undefined {
  for (const one of all) if (one.name === name) return one;
  return undefined;
}

function namesOf(specs: readonly TensorSpec[]): string {
  return specs.map((spec) => `'${spec.name}'`).join(', ');
}

function mismatch(input: string, expected: string, found: string): SelvageError {
  return SelvageError.of('INPUT_MISMATCH', { input, expected, found });
}
