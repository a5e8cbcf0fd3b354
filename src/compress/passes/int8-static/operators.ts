import { attributeOf, textAttribute } from '../../../graph/attributes.ts';
import { isDefaultDomain } from '../../../graph/describe.ts';
import type { NodeProto } from '../../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../../graph/graph.ts';
import { isLinearOperator } from '../../linear-node.ts';

/**
 * How the runtime works on 8-bit integers for an operator: `linear` with weights; `arithmetic` by a kernel between
 * DequantizeLinear and QuantizeLinear; `direct` on the integers as they are, so that output and first input share a scale.
 */
export type OperatorKind = 'linear' | 'arithmetic' | 'direct';

const ARITHMETIC: ReadonlySet<string> = new Set([
  'Add',
  'Mul',
  'AveragePool',
  'GlobalAveragePool',
  'Concat',
  'Sigmoid',
  'LeakyRelu',
  'Softmax',
]);

/** QLinearConv and its like exist from here on. */
const FIRST_WITH_INTEGERS = 10;

/** The first opset in which each operator takes 8-bit integers. */
const DIRECT: ReadonlyMap<string, number> = new Map([
  ['MaxPool', 12],
  ['Reshape', 5],
  ['Flatten', 9],
  ['Transpose', 1],
  ['Squeeze', 1],
  ['Unsqueeze', 1],
  ['Gather', 1],
  ['Slice', 1],
  ['Resize', 10],
  ['Pad', 11],
  ['DepthToSpace', 1],
  ['SpaceToDepth', 1],
]);

/** The kind of a node's operator, or why it has no form in 8-bit integers. */
export function operatorKind(graph: Graph, node: NodeProto): OperatorKind | { readonly reason: string } {
  if (!isDefaultDomain(node.domain)) return { reason: `operators of domain ${node.domain} stay as they are` };
  if (graph.opset() < FIRST_WITH_INTEGERS) {
    return { reason: `integer operators need opset ${FIRST_WITH_INTEGERS}, the model has ${graph.opset()}` };
  }
  if (isLinearOperator(node)) return 'linear';
  if (ARITHMETIC.has(node.opType)) return arithmeticKind(node);
  const since = DIRECT.get(node.opType);
  if (since === undefined) return { reason: `the runtime has no fast int8 ${node.opType}` };
  if (graph.opset() < since) {
    return { reason: `${node.opType} takes int8 from opset ${since} on, the model has ${graph.opset()}` };
  }
  return directKind(graph, node);
}

function arithmeticKind(node: NodeProto): OperatorKind | { readonly reason: string } {
  const isPool = node.opType === 'AveragePool';
  if (isPool && attributeOf(node, 'dilations')?.ints.some((step) => step !== 1n) === true) {
    return { reason: 'the runtime has no int8 AveragePool with dilations' };
  }
  return 'arithmetic';
}

function directKind(graph: Graph, node: NodeProto): OperatorKind | { readonly reason: string } {
  switch (node.opType) {
    case 'MaxPool':
      return node.output.length > 1 ? { reason: 'its indices are used' } : 'direct';
    case 'Gather':
      return graph.constant(node.input[0] ?? '') === undefined
        ? 'direct'
        : { reason: 'it looks up constants' };
    case 'Resize':
      return textAttribute(node, 'mode', 'nearest') === 'nearest'
        ? 'direct'
        : { reason: 'it interpolates; only mode nearest works on integers as they are' };
    case 'Pad':
      return padsWithZero(graph, node) ? 'direct' : { reason: 'it does not pad with the constant 0' };
    default:
      return 'direct';
  }
}

function padsWithZero(graph: Graph, node: NodeProto): boolean {
  const value = node.input[2] ?? '';
  const isZero = value === '' || graph.floats(value)?.every((element) => element === 0) === true;
  return isZero && textAttribute(node, 'mode', 'constant') === 'constant';
}
