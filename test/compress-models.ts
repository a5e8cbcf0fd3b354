import {
  body,
  buildModel,
  float,
  int,
  ints,
  type NodeSpec,
  tensor,
  tensorValue,
  text,
  type ValueSpec,
} from '../src/graph/build-model.ts';
import type { ModelProto, TensorProto } from '../src/graph/gen/onnx_pb.ts';
import { seededRandom } from '../src/lib/random.ts';
import type { PlainTensor } from './runtime.ts';

/** A small model to be compressed, with what makes inputs for it. */
export interface CompressModel {
  readonly name: string;
  readonly model: ModelProto;
  /** A set of inputs; the same seed gives the same. */
  readonly feeds: (seed: number) => Record<string, PlainTensor>;
}

/** Small graphs that hold, between them, every form that passes have to cope with. */
export function compressModels(): CompressModel[] {
  return [
    residualCnn(),
    oldCnn(),
    opset11Cnn(),
    concatCnn(),
    perceptron(),
    transformer(),
    constantNodes(),
    lstm(),
    ifBody(),
  ];
}

/** A model of `compressModels` by its name. */
export function compressModel(name: string): CompressModel {
  const found = compressModels().find((one) => one.name === name);
  if (found === undefined) throw new Error(`no model ${name}`);
  return found;
}

/** Convolutions (dense, depthwise, 1×1), a Clip, a residual Add, pooling and a Gemm with transposed weights. */
function residualCnn(): CompressModel {
  const weights = new Weights(1);
  const nodes: NodeSpec[] = [
    {
      op: 'Conv',
      name: 'first',
      inputs: ['input', weights.add('w1', [8, 3, 3, 3]), weights.add('b1', [8])],
      outputs: ['c1'],
      attributes: { pads: ints([1, 1, 1, 1]) },
    },
    { op: 'Relu', name: 'relu1', inputs: ['c1'], outputs: ['r1'] },
    {
      op: 'Conv',
      name: 'depthwise',
      inputs: ['r1', weights.add('w2', [8, 1, 3, 3])],
      outputs: ['c2'],
      attributes: { pads: ints([1, 1, 1, 1]), group: int(8) },
    },
    {
      op: 'Clip',
      name: 'clip',
      inputs: ['c2', weights.value('zero', 0), weights.value('six', 6)],
      outputs: ['r2'],
    },
    {
      op: 'Conv',
      name: 'pointwise',
      inputs: ['r2', weights.add('w3', [8, 8, 1, 1]), weights.add('b3', [8])],
      outputs: ['c3'],
    },
    { op: 'Add', name: 'residual', inputs: ['c3', 'r1'], outputs: ['sum'] },
    { op: 'Relu', name: 'relu2', inputs: ['sum'], outputs: ['r3'] },
    {
      op: 'MaxPool',
      name: 'pool',
      inputs: ['r3'],
      outputs: ['p'],
      attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
    },
    { op: 'GlobalAveragePool', name: 'average', inputs: ['p'], outputs: ['g'] },
    { op: 'Flatten', name: 'flatten', inputs: ['g'], outputs: ['f'] },
    {
      op: 'Gemm',
      name: 'head',
      inputs: ['f', weights.add('w4', [5, 8]), weights.add('b4', [5])],
      outputs: ['output'],
      attributes: { transB: int(1) },
    },
  ];
  return cnn('residual-cnn', nodes, weights, 13);
}

/** Opset 8, IR version 3: initializers listed as inputs, Clip, Pad and Slice with attributes, batch normalization. */
function oldCnn(): CompressModel {
  const weights = new Weights(2);
  const nodes: NodeSpec[] = [
    {
      op: 'Pad',
      inputs: ['input'],
      outputs: ['padded'],
      attributes: { pads: ints([0, 0, 1, 1, 0, 0, 1, 1]), mode: text('constant'), value: float(0) },
    },
    { op: 'Conv', inputs: ['padded', weights.add('w1', [8, 3, 3, 3])], outputs: ['c1'] },
    {
      op: 'BatchNormalization',
      inputs: [
        'c1',
        weights.add('s', [8], 1),
        weights.add('b', [8]),
        weights.add('m', [8]),
        weights.add('v', [8], 2),
      ],
      outputs: ['n1'],
    },
    { op: 'Clip', inputs: ['n1'], outputs: ['r1'], attributes: { min: float(0), max: float(6) } },
    {
      op: 'Slice',
      inputs: ['r1'],
      outputs: ['half'],
      attributes: { starts: ints([0]), ends: ints([4]), axes: ints([1]) },
    },
    {
      op: 'Conv',
      inputs: ['half', weights.add('w2', [8, 4, 3, 3]), weights.add('b2', [8])],
      outputs: ['c2'],
    },
    { op: 'Relu', inputs: ['c2'], outputs: ['r2'] },
    {
      op: 'MaxPool',
      inputs: ['r2'],
      outputs: ['p'],
      attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
    },
    { op: 'GlobalAveragePool', inputs: ['p'], outputs: ['g'] },
    { op: 'Flatten', inputs: ['g'], outputs: ['f'] },
    {
      op: 'Gemm',
      inputs: ['f', weights.add('w3', [8, 5]), weights.add('b3', [5])],
      outputs: ['output'],
      attributes: { beta: float(0.5) },
    },
  ];
  const given = cnn('old-cnn', nodes, weights, 8, weights.asInputs());
  given.model.irVersion = 3n;
  return given;
}

/** Opset 11, whose DequantizeLinear knows no channels; average pooling, a Mul, a channel of zeros with a bias. */
function opset11Cnn(): CompressModel {
  const weights = new Weights(3);
  const nodes: NodeSpec[] = [
    {
      op: 'Conv',
      name: 'first',
      inputs: ['input', weights.add('w1', [8, 3, 3, 3], 0, 27), weights.add('b1', [8])],
      outputs: ['c1'],
    },
    { op: 'Relu', name: 'relu', inputs: ['c1'], outputs: ['r1'] },
    {
      op: 'MaxPool',
      name: 'pool',
      inputs: ['r1'],
      outputs: ['p'],
      attributes: { kernel_shape: ints([2, 2]) },
    },
    {
      op: 'AveragePool',
      name: 'average',
      inputs: ['p'],
      outputs: ['a'],
      attributes: { kernel_shape: ints([2, 2]) },
    },
    { op: 'Conv', name: 'gate', inputs: ['a', weights.add('w2', [8, 8, 1, 1])], outputs: ['c2'] },
    { op: 'Sigmoid', name: 'sigmoid', inputs: ['c2'], outputs: ['s'] },
    { op: 'Mul', name: 'gated', inputs: ['a', 's'], outputs: ['m'] },
    {
      op: 'Conv',
      name: 'last',
      inputs: ['m', weights.add('w3', [5, 8, 2, 2]), weights.add('b3', [5])],
      outputs: ['c3'],
    },
    { op: 'GlobalAveragePool', name: 'global', inputs: ['c3'], outputs: ['g'] },
    { op: 'Flatten', name: 'flatten', inputs: ['g'], outputs: ['output'] },
  ];
  return cnn('opset11-cnn', nodes, weights, 11);
}

/** Concat of a clipped and an unclipped branch, Resize, Transpose, and two convolutions that share weights and bias. */
function concatCnn(): CompressModel {
  const weights = new Weights(4);
  const shared = [weights.add('w2', [4, 4, 1, 1]), weights.add('b2', [4])];
  const scales = tensor('scales', 'FP32', [4], Float32Array.of(1, 1, 2, 2));
  const nodes: NodeSpec[] = [
    { op: 'Conv', name: 'first', inputs: ['input', weights.add('w1', [4, 3, 3, 3])], outputs: ['c1'] },
    { op: 'Conv', name: 'left', inputs: ['c1', ...shared], outputs: ['c2'] },
    {
      op: 'Clip',
      name: 'clip',
      inputs: ['c2', weights.value('zero', 0), weights.value('one', 1)],
      outputs: ['r2'],
    },
    { op: 'Conv', name: 'right', inputs: ['r2', ...shared], outputs: ['c3'] },
    { op: 'Concat', name: 'clipped', inputs: ['r2', 'c1'], outputs: ['j1'], attributes: { axis: int(1) } },
    {
      op: 'Resize',
      name: 'larger',
      inputs: ['j1', '', 'scales'],
      outputs: ['u1'],
      attributes: { mode: text('nearest') },
    },
    {
      op: 'Conv',
      name: 'after',
      inputs: ['u1', weights.add('w4', [4, 8, 3, 3])],
      outputs: ['c4'],
      attributes: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
    },
    { op: 'Concat', name: 'plain', inputs: ['c3', 'c4'], outputs: ['j2'], attributes: { axis: int(1) } },
    {
      op: 'Transpose',
      name: 'turn',
      inputs: ['j2'],
      outputs: ['t'],
      attributes: { perm: ints([0, 1, 3, 2]) },
    },
    { op: 'Conv', name: 'last', inputs: ['t', weights.add('w5', [5, 8, 3, 3])], outputs: ['c5'] },
    { op: 'GlobalAveragePool', name: 'global', inputs: ['c5'], outputs: ['g'] },
    { op: 'Flatten', name: 'flatten', inputs: ['g'], outputs: ['output'] },
  ];
  return cnn('concat-cnn', nodes, weights, 13, [], [scales]);
}

function cnn(
  name: string,
  nodes: readonly NodeSpec[],
  weights: Weights,
  opset: number,
  furtherInputs: readonly ValueSpec[] = [],
  further: readonly TensorProto[] = [],
): CompressModel {
  const model = buildModel({
    name,
    opset,
    inputs: [{ name: 'input', datatype: 'FP32', dims: ['batch', 3, 12, 12] }, ...furtherInputs],
    outputs: [{ name: 'output', datatype: 'FP32', dims: ['batch', 5] }],
    nodes,
    initializers: [...weights.tensors, ...further],
  });
  return { name, model, feeds: (seed) => ({ input: floats([2, 3, 12, 12], seed) }) };
}

/** Two Gemms with alpha and beta and a Relu, and two outputs of which one is used inside. */
function perceptron(): CompressModel {
  const weights = new Weights(5);
  const model = buildModel({
    inputs: [{ name: 'x.1', datatype: 'FP32', dims: ['batch', 48] }],
    outputs: [
      { name: 'output', datatype: 'FP32', dims: ['batch', 6] },
      { name: 'hidden', datatype: 'FP32', dims: ['batch', 32] },
    ],
    nodes: [
      {
        op: 'Gemm',
        name: 'first',
        inputs: ['x.1', weights.add('w1', [32, 48]), weights.add('b1', [32])],
        outputs: ['h'],
        attributes: { transB: int(1), beta: float(2) },
      },
      { op: 'Relu', name: 'relu', inputs: ['h'], outputs: ['hidden'] },
      {
        op: 'Gemm',
        name: 'second',
        inputs: ['hidden', weights.add('w2', [32, 16])],
        outputs: ['s'],
        attributes: { alpha: float(0.5) },
      },
      { op: 'MatMul', name: 'third', inputs: ['s', weights.add('w3', [16, 6])], outputs: ['output'] },
    ],
    initializers: weights.tensors,
  });
  return { name: 'perceptron', model, feeds: (seed) => ({ 'x.1': floats([3, 48], seed) }) };
}

/** One attention block: embeddings, three products of one activation, biases by Add, Softmax, LayerNormalization. */
function transformer(): CompressModel {
  const weights = new Weights(6);
  const linear = (name: string, input: string, sizes: [number, number], output: string): NodeSpec[] => [
    { op: 'MatMul', name, inputs: [input, weights.add(`${name}_w`, sizes)], outputs: [`${name}_product`] },
    {
      op: 'Add',
      name: `${name}_bias`,
      inputs: [`${name}_product`, weights.add(`${name}_b`, [sizes[1]])],
      outputs: [output],
    },
  ];
  const normalize = (name: string, input: string, output: string): NodeSpec => ({
    op: 'LayerNormalization',
    name,
    inputs: [input, weights.add(`${name}_s`, [32], 1), weights.add(`${name}_b`, [32])],
    outputs: [output],
  });
  const model = buildModel({
    inputs: [{ name: 'ids', datatype: 'INT64', dims: ['batch', 'length'] }],
    outputs: [{ name: 'output', datatype: 'FP32', dims: ['batch', 'length', 7] }],
    nodes: [
      { op: 'Gather', name: 'embed', inputs: [weights.add('table', [200, 32]), 'ids'], outputs: ['e'] },
      normalize('norm1', 'e', 'x'),
      ...linear('query', 'x', [32, 32], 'q'),
      ...linear('key', 'x', [32, 32], 'k'),
      ...linear('value', 'x', [32, 32], 'v'),
      {
        op: 'Transpose',
        name: 'turn',
        inputs: ['k'],
        outputs: ['kt'],
        attributes: { perm: ints([0, 2, 1]) },
      },
      { op: 'MatMul', name: 'scores', inputs: ['q', 'kt'], outputs: ['a'] },
      { op: 'Softmax', name: 'softmax', inputs: ['a'], outputs: ['p'], attributes: { axis: int(-1) } },
      { op: 'MatMul', name: 'mix', inputs: ['p', 'v'], outputs: ['m'] },
      ...linear('out', 'm', [32, 32], 'o'),
      { op: 'Add', name: 'residual', inputs: ['o', 'x'], outputs: ['y'] },
      normalize('norm2', 'y', 'n'),
      ...linear('head', 'n', [32, 7], 'output'),
    ],
    initializers: weights.tensors,
  });
  const feeds = (seed: number) => {
    const random = seededRandom(seed);
    const data = Array.from({ length: 12 }, () => String(Math.floor(random() * 200)));
    return { ids: { type: 'int64', dims: [2, 6], data } };
  };
  return { name: 'transformer', model, feeds };
}

/** Weights and shapes in Constant nodes, nodes without names, a dead node, an operator set that nothing uses. */
function constantNodes(): CompressModel {
  const weights = new Weights(7);
  weights.add('w1', [6, 3, 3, 3]);
  weights.add('w2', [600, 5]);
  const constants = weights.tensors.map((value) => ({
    op: 'Constant',
    inputs: [],
    outputs: [value.name],
    attributes: { value: tensorValue(value) },
  }));
  const model = buildModel({
    opsets: { 'com.ms.internal.nhwc': 1 },
    inputs: [{ name: 'input', datatype: 'FP32', dims: [2, 3, 12, 12] }],
    outputs: [{ name: 'output', datatype: 'FP32', dims: [2, 5] }],
    nodes: [
      ...constants,
      { op: 'Constant', inputs: [], outputs: ['shape'], attributes: { value_ints: ints([2, 600]) } },
      { op: 'Conv', inputs: ['input', 'w1'], outputs: ['c1'] },
      { op: 'Relu', inputs: ['c1'], outputs: ['r1'] },
      { op: 'Neg', inputs: ['r1'], outputs: ['unused'] },
      { op: 'Reshape', inputs: ['r1', 'shape'], outputs: ['f'] },
      { op: 'MatMul', inputs: ['f', 'w2'], outputs: ['output'] },
    ],
  });
  return { name: 'constant-nodes', model, feeds: (seed) => ({ input: floats([2, 3, 12, 12], seed) }) };
}

/** A bidirectional LSTM, which stays in float, with a Gemm behind it. */
function lstm(): CompressModel {
  const weights = new Weights(8);
  const model = buildModel({
    inputs: [{ name: 'input', datatype: 'FP32', dims: [4, 'batch', 10] }],
    outputs: [{ name: 'output', datatype: 'FP32', dims: ['batch', 5] }],
    nodes: [
      {
        op: 'LSTM',
        name: 'lstm',
        inputs: [
          'input',
          weights.add('w', [2, 32, 10]),
          weights.add('r', [2, 32, 8]),
          weights.add('b', [2, 64]),
        ],
        outputs: ['', 'h'],
        attributes: { hidden_size: int(8), direction: text('bidirectional') },
      },
      { op: 'Transpose', name: 'turn', inputs: ['h'], outputs: ['t'], attributes: { perm: ints([1, 0, 2]) } },
      { op: 'Flatten', name: 'flatten', inputs: ['t'], outputs: ['f'] },
      {
        op: 'Gemm',
        name: 'head',
        inputs: ['f', weights.add('w2', [16, 5]), weights.add('b2', [5])],
        outputs: ['output'],
      },
    ],
    initializers: weights.tensors,
  });
  return { name: 'lstm', model, feeds: (seed) => ({ input: floats([4, 2, 10], seed) }) };
}

/** A convolution whose output and weights the bodies of an If take. */
function ifBody(): CompressModel {
  const weights = new Weights(9);
  const output = (name: string): ValueSpec => ({ name, datatype: 'FP32' });
  const kernel = [weights.add('w1', [3, 3, 3, 3]), weights.add('b1', [3])];
  const model = buildModel({
    inputs: [
      { name: 'input', datatype: 'FP32', dims: [1, 3, 12, 12] },
      { name: 'again', datatype: 'BOOL', dims: [] },
    ],
    outputs: [{ name: 'output', datatype: 'FP32', dims: [1, 3, 1, 1] }],
    nodes: [
      { op: 'Conv', name: 'first', inputs: ['input', ...kernel], outputs: ['c1'] },
      { op: 'Relu', name: 'relu', inputs: ['c1'], outputs: ['r1'] },
      {
        op: 'If',
        name: 'if',
        inputs: ['again'],
        outputs: ['d'],
        attributes: {
          then_branch: body({
            inputs: [],
            outputs: [output('t')],
            nodes: [{ op: 'Conv', inputs: ['r1', ...kernel], outputs: ['t'] }],
          }),
          else_branch: body({
            inputs: [],
            outputs: [output('e')],
            nodes: [{ op: 'Identity', inputs: ['c1'], outputs: ['e'] }],
          }),
        },
      },
      { op: 'GlobalAveragePool', name: 'global', inputs: ['d'], outputs: ['output'] },
    ],
    initializers: weights.tensors,
  });
  const again = { type: 'bool', dims: [], data: [1] };
  return { name: 'if-body', model, feeds: (seed) => ({ input: floats([1, 3, 12, 12], seed), again }) };
}

/** Random weights of a model under construction. */
class Weights {
  readonly tensors: TensorProto[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A tensor of values of about the size that keeps activations near 1, plus `mean`; the first `zeros` are 0. */
  add(name: string, dims: readonly number[], mean = 0, zeros = 0): string {
    const count = dims.reduce((size, dim) => size * dim, 1);
    const spread = 3 / Math.sqrt(Math.max(1, count / (dims[0] ?? 1)));
    const values = Float32Array.from(
      { length: count },
      () => mean + (this.#random() - 0.5) * Math.min(1, spread),
    );
    this.tensors.push(tensor(name, 'FP32', dims, values.fill(0, 0, zeros)));
    return name;
  }

  /** A scalar. */
  value(name: string, value: number): string {
    this.tensors.push(tensor(name, 'FP32', [], Float32Array.of(value)));
    return name;
  }

  asInputs(): ValueSpec[] {
    return this.tensors.map(({ name, dims }) => ({ name, datatype: 'FP32', dims: dims.map(Number) }));
  }
}

function floats(dims: readonly number[], seed: number): PlainTensor {
  const random = seededRandom(seed);
  const count = dims.reduce((size, dim) => size * dim, 1);
  return {
    type: 'float32',
    dims,
    data: Array.from({ length: count }, () => Math.fround(random() * 2 - 0.8)),
  };
}
