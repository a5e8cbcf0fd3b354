import { floatAttribute, intAttribute } from '../graph/attributes.ts';
import { isDefaultDomain } from '../graph/describe.ts';
import type { NodeProto } from '../graph/gen/onnx_pb.ts';
import type { Graph } from '../graph/graph.ts';
import { dimsOf } from '../graph/tensor-data.ts';

/** Operators that multiply an activation with weights. */
type LinearOperator = 'Conv' | 'Gemm' | 'MatMul';

/** A node that multiplies an activation with constant FP32 weights. */
export interface LinearNode {
  readonly node: NodeProto;
  readonly operator: LinearOperator;
  /** Name of the activation. */
  readonly input: string;
  /** Name, shape and elements of the weights. */
  readonly weight: string;
  readonly dims: readonly number[];
  readonly values: Float32Array;
  /** The axis of the weights along which the output's channels lie. */
  readonly axis: number;
  readonly channels: number;
  /** By channel, `beta` of Gemm multiplied in; undefined where the node has none. */
  readonly bias: Float32Array | undefined;
  /** Factor of Gemm on the product. */
  readonly alpha: number;
  /** Groups of Conv. */
  readonly group: number;
}

/** Why a node is not a `LinearNode`. */
export interface NotLinear {
  readonly reason: string;
}

/** Whether an operator can be linear at all. */
export function isLinearOperator(node: NodeProto): boolean {
  return isDefaultDomain(node.domain) && ['Conv', 'Gemm', 'MatMul'].includes(node.opType);
}

/** Looks at a Conv, Gemm or MatMul. The weights must be constant and FP32, and a bias one value for each channel. */
export function linearNode(graph: Graph, node: NodeProto): LinearNode | NotLinear {
  const [input = '', weight = '', biasName = ''] = node.input;
  const operator = node.opType as LinearOperator;
  if (graph.constant(input) !== undefined) return { reason: 'its first operand is a constant' };
  const constant = graph.constant(weight);
  if (constant === undefined) return { reason: 'its weights are computed by the graph' };
  const values = graph.floats(weight);
  if (values === undefined) return { reason: 'its weights are not FP32' };
  const dims = dimsOf(constant);
  const axis = channelAxis(node, dims);
  if (typeof axis !== 'number') return axis;
  const channels = dims[axis] ?? 0;
  if (values.length === 0) return { reason: 'its weights are empty' };
  const bias = biasName === '' ? undefined : biasOf(graph, node, biasName, channels);
  if (bias !== undefined && 'reason' in bias) return bias;
  const alpha = operator === 'Gemm' ? floatAttribute(node, 'alpha', 1) : 1;
  const group = operator === 'Conv' ? intAttribute(node, 'group', 1) : 1;
  return { node, operator, input, weight, dims, values, axis, channels, bias, alpha, group };
}

function channelAxis(node: NodeProto, dims: readonly number[]): number | NotLinear {
  if (node.opType === 'Conv') {
    return dims.length >= 3 ? 0 : { reason: `its weights have ${dims.length} dimensions` };
  }
  if (dims.length !== 2) return { reason: `its weights have ${dims.length} dimensions, not 2` };
  if (node.opType === 'MatMul') return 1;
  if (intAttribute(node, 'transA', 0) !== 0) return { reason: 'its first operand is transposed' };
  return intAttribute(node, 'transB', 0) === 0 ? 1 : 0;
}

function biasOf(graph: Graph, node: NodeProto, name: string, channels: number): Float32Array | NotLinear {
  const values = graph.floats(name);
  if (values === undefined) return { reason: 'its bias is not a constant in FP32' };
  const rows = (graph.constant(name)?.dims ?? []).slice(0, -1);
  if (rows.some((size) => size !== 1n) || (values.length !== channels && values.length !== 1)) {
    return { reason: 'its bias is not one value for each channel' };
  }
  const beta = node.opType === 'Gemm' ? floatAttribute(node, 'beta', 1) : 1;
  return Float32Array.from(
    { length: channels },
    (_, at) => beta * (values[values.length === 1 ? 0 : at] ?? 0),
  );
}

/** The weights of a Gemm or MatMul as a matrix of `inputs` rows and `channels` columns, row-major, `alpha` multiplied in. */
export function weightMatrix({ values, axis, channels, alpha }: LinearNode): Float32Array {
  const inputs = values.length / channels;
  const matrix = new Float32Array(values.length);
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < channels; column++) {
      const from = axis === 0 ? column * inputs + row : row * channels + column;
      matrix[row * channels + column] = alpha * (values[from] ?? 0);
    }
  }
  return matrix;
}

/** The product of a Gemm or MatMul with what is added to it. */
export interface MatrixProduct extends LinearNode {
  /** The name of the value that product and bias give. */
  readonly output: string;
  /** The Add whose constant is the bias, where it is not the node's own. */
  readonly add: NodeProto | undefined;
}

/** A Gemm, or a MatMul with the bias that a following Add brings; other nodes and why they are none. */
export function matrixProduct(graph: Graph, node: NodeProto): MatrixProduct | NotLinear {
  if (!isLinearOperator(node) || node.opType === 'Conv') return { reason: 'it is no matrix product' };
  const linear = linearNode(graph, node);
  if ('reason' in linear) return linear;
  const [output = ''] = node.output;
  const add = node.opType === 'MatMul' ? graph.soleConsumer(output) : undefined;
  if (add === undefined || add.opType !== 'Add' || !isDefaultDomain(add.domain)) {
    return { ...linear, output, add: undefined };
  }
  const constant = add.input.find((name) => name !== output) ?? '';
  const bias = graph.floats(constant);
  if (graph.constant(constant)?.dims.length !== 1 || bias?.length !== linear.channels) {
    return { ...linear, output, add: undefined };
  }
  return { ...linear, bias, output: add.output[0] ?? '', add };
}
