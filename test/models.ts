import { body, buildModel, int, tensor, tensorValue } from '../src/graph/build-model.ts';
import { encodeModel } from '../src/graph/write-model.ts';
import type { Datatype } from '../src/tensor/datatype.ts';

/**
 * Models built in code for tests and benchmarks, each as the bytes of an ONNX file that the runtime loads.
 * `models.test.ts` runs every one of them.
 */

/** One dense layer and a Relu: `input` FP32 [batch, 4] → `output` FP32 [batch, 3], `relu(x · W + b)` (see `tinyOutput`). */
export function tinyModel(): Uint8Array {
  return encodeModel(
    buildModel({
      name: 'tiny',
      inputs: [{ name: 'input', datatype: 'FP32', dims: ['batch', 4] }],
      outputs: [{ name: 'output', datatype: 'FP32', dims: ['batch', 3] }],
      nodes: [
        { op: 'Gemm', name: 'dense', inputs: ['input', 'weight', 'bias'], outputs: ['sum'] },
        { op: 'Relu', name: 'relu', inputs: ['sum'], outputs: ['output'] },
      ],
      initializers: [tensor('weight', 'FP32', [4, 3], TINY_WEIGHT), tensor('bias', 'FP32', [3], TINY_BIAS)],
    }),
  );
}

/** What `tinyModel` answers to one row of 4 values. */
export function tinyOutput(row: readonly number[]): number[] {
  return [...TINY_BIAS].map((bias, column) =>
    Math.max(
      0,
      row.reduce((sum, value, index) => sum + value * (TINY_WEIGHT[index * 3 + column] ?? 0), bias),
    ),
  );
}

const TINY_WEIGHT = Float32Array.from([1, 0, -1, 0, 1, -1, 0.5, 0.5, -1, 2, 0, -1]);
const TINY_BIAS = Float32Array.from([0, 1, 10]);

/**
 * A model of about `sizeMiB` MiB of weights that runs quickly: `input` INT64 [n] (row numbers from 0 to 255) →
 * `output` FP32 [n, width], rows of a table in which row `i` holds `i` throughout.
 */
export function bigModel(sizeMiB: number): Uint8Array {
  const width = sizeMiB * 1024;
  const table = new Float32Array(256 * width);
  for (let row = 0; row < 256; row++) table.fill(row, row * width, (row + 1) * width);
  return encodeModel(
    buildModel({
      name: 'big',
      inputs: [{ name: 'input', datatype: 'INT64', dims: ['n'] }],
      outputs: [{ name: 'output', datatype: 'FP32', dims: ['n', width] }],
      nodes: [{ op: 'Gather', name: 'lookup', inputs: ['table', 'input'], outputs: ['output'] }],
      initializers: [tensor('table', 'FP32', [256, width], table)],
    }),
  );
}

/**
 * A model that runs as long as it is told: `iterations` INT64 [1] → `output` FP32 [64, 64], the identity matrix
 * multiplied by itself that many times (about 4 µs each, so 2^40 take weeks), so always the identity matrix.
 */
export function slowModel(): Uint8Array {
  const identity = new Float32Array(64 * 64);
  for (let index = 0; index < 64; index++) identity[index * 65] = 1;
  const loopBody = body({
    name: 'iteration',
    inputs: [
      { name: 'step', datatype: 'INT64', dims: [] },
      { name: 'goOn', datatype: 'BOOL', dims: [] },
      { name: 'matrix', datatype: 'FP32', dims: [64, 64] },
    ],
    outputs: [
      { name: 'stillGoOn', datatype: 'BOOL', dims: [] },
      { name: 'product', datatype: 'FP32', dims: [64, 64] },
    ],
    nodes: [
      { op: 'Identity', inputs: ['goOn'], outputs: ['stillGoOn'] },
      { op: 'MatMul', inputs: ['matrix', 'eye'], outputs: ['product'] },
    ],
  });
  return encodeModel(
    buildModel({
      name: 'slow',
      inputs: [{ name: 'iterations', datatype: 'INT64', dims: [1] }],
      outputs: [{ name: 'output', datatype: 'FP32', dims: [64, 64] }],
      nodes: [
        {
          op: 'Constant',
          inputs: [],
          outputs: ['yes'],
          attributes: { value: tensorValue(tensor('', 'BOOL', [], Uint8Array.of(1))) },
        },
        {
          op: 'Loop',
          name: 'loop',
          inputs: ['iterations', 'yes', 'eye'],
          outputs: ['output'],
          attributes: { body: loopBody },
        },
      ],
      initializers: [tensor('eye', 'FP32', [64, 64], identity)],
    }),
  );
}

/** Gives back what it gets: `input` → `output`, both of the datatype and `dims` (by default one free dimension). */
export function identityModel(datatype: Datatype, dims: readonly (number | string)[] = ['n']): Uint8Array {
  return encodeModel(
    buildModel({
      name: 'identity',
      inputs: [{ name: 'input', datatype, dims }],
      outputs: [{ name: 'output', datatype, dims }],
      nodes: [{ op: 'Identity', name: 'identity', inputs: ['input'], outputs: ['output'] }],
    }),
  );
}

/** Two inputs and two outputs: `a`, `b` FP32 [batch, 2] → `sum`, `product` FP32 [batch, 2], element by element. */
export function twoInputModel(): Uint8Array {
  const pair = (name: string) => ({ name, datatype: 'FP32', dims: ['batch', 2] }) as const;
  return encodeModel(
    buildModel({
      name: 'pair',
      inputs: [pair('a'), pair('b')],
      outputs: [pair('sum'), pair('product')],
      nodes: [
        { op: 'Add', name: 'add', inputs: ['a', 'b'], outputs: ['sum'] },
        { op: 'Mul', name: 'mul', inputs: ['a', 'b'], outputs: ['product'] },
      ],
    }),
  );
}

/** Counts: `start` INT64 [] → `next` INT64 [], one more; scalars in and out. */
export function scalarModel(): Uint8Array {
  return encodeModel(
    buildModel({
      name: 'scalar',
      inputs: [{ name: 'start', datatype: 'INT64', dims: [] }],
      outputs: [{ name: 'next', datatype: 'INT64', dims: [] }],
      nodes: [
        { op: 'Constant', inputs: [], outputs: ['one'], attributes: { value_int: int(1) } },
        { op: 'Add', inputs: ['start', 'one'], outputs: ['next'] },
      ],
    }),
  );
}
