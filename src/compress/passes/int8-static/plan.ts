import type { NodeProto } from '../../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../../graph/graph.ts';
import { type LinearNode, linearNode } from '../../linear-node.ts';
import type { ReportBuilder } from '../../pass.ts';
import { activationParameters, representableRange, type ValueRange } from '../../quantize.ts';
import { clampOf, impliesClamp } from './clamp.ts';
import { operatorKind } from './operators.ts';
import type { Int8StaticOptions } from './options.ts';

/** What becomes of a node that is to work on integers. */
export interface Role {
  readonly node: NodeProto;
  /** See `OperatorKind`. */
  readonly kind: 'linear' | 'arithmetic' | 'direct';
  /** The activations that it takes as integers. */
  readonly inputs: readonly string[];
  /** The value that is quantized behind the node: its own output, or that of the Relu or Clip taken into it. */
  readonly output: string;
  /** The Relu or Clip that quantizing `output` makes needless. */
  readonly clamp: { readonly node: NodeProto; readonly bounds: ValueRange } | undefined;
  /** The weights, of kind `linear`. */
  readonly linear: LinearNode | undefined;
}

/** Why a node is to stay in float. */
interface Stays {
  readonly reason: string;
}

/** The nodes that are to work on integers, in topological order; the report is told why the others are not. */
export function planInt8(graph: Graph, options: Int8StaticOptions, report: ReportBuilder): Role[] {
  const candidates: Role[] = [];
  const absorbed = new Set<NodeProto>();
  for (const node of graph.sorted()) {
    const role = candidateRole(graph, node, options);
    if (!('reason' in role)) {
      candidates.push(role);
      if (role.clamp !== undefined) absorbed.add(role.clamp.node);
    } else if (!absorbed.has(node)) {
      report.skip(node, role.reason);
    }
  }
  return worthwhile(candidates, options, report);
}

function candidateRole(graph: Graph, node: NodeProto, options: Int8StaticOptions): Role | Stays {
  if (options.keep?.has(node.name) === true) return { reason: 'it was asked to stay in float' };
  const kind = operatorKind(graph, node);
  if (typeof kind !== 'string') return kind;
  if (kind === 'direct') {
    const [input = ''] = node.input;
    return { node, kind, inputs: [input], output: node.output[0] ?? '', clamp: undefined, linear: undefined };
  }
  const linear = kind === 'linear' ? linearNode(graph, node) : undefined;
  if (linear !== undefined && 'reason' in linear) return linear;
  if (linear !== undefined && linear.alpha !== 1) return { reason: 'it has a factor alpha' };
  const inputs = linear === undefined ? activationsOf(graph, node) : [linear.input];
  if ('reason' in inputs) return inputs;
  const clamp = clampAfter(graph, node, options);
  const output = clamp?.node.output[0] ?? node.output[0] ?? '';
  // A matrix product can do without integers behind it.
  const required = node.opType === 'Gemm' || node.opType === 'MatMul' ? inputs : [...inputs, output];
  const missing = required.find((value) => !hasRange(options, value));
  if (missing !== undefined) return { reason: `there is no range of value '${missing}'` };
  return { node, kind, inputs, output, clamp, linear };
}

/** The inputs that are not constants; constants must be FP32. */
function activationsOf(graph: Graph, node: NodeProto): string[] | Stays {
  const isConstant = (name: string) => graph.constant(name) !== undefined;
  const other = node.input.find((name) => isConstant(name) && graph.floats(name) === undefined);
  if (other !== undefined) return { reason: `its operand '${other}' is not FP32` };
  const activations = node.input.filter((name) => !isConstant(name));
  return activations.length > 0 ? activations : { reason: 'all its operands are constants' };
}

function hasRange({ ranges }: Int8StaticOptions, value: string): boolean {
  const range = ranges.get(value);
  return range !== undefined && Number.isFinite(range.min) && Number.isFinite(range.max);
}

/** The Relu or Clip that alone takes the node's output, where cutting off at the limits of its range does the same. */
function clampAfter(graph: Graph, node: NodeProto, options: Int8StaticOptions): Role['clamp'] {
  if (!['Conv', 'Gemm', 'MatMul', 'Add', 'Mul'].includes(node.opType)) return undefined;
  const next = graph.soleConsumer(node.output[0] ?? '');
  if (next === undefined || options.keep?.has(next.name) === true) return undefined;
  const bounds = clampOf(graph, next);
  const range = options.ranges.get(next.output[0] ?? '');
  if (bounds === undefined || range === undefined) return undefined;
  const type = options.activations ?? 'u8';
  const representable = representableRange(activationParameters(range, type), type);
  return impliesClamp(representable, bounds) ? { node: next, bounds } : undefined;
}

/**
 * Drops what gains nothing: an arithmetic or direct node is only worth it between others, taking integers that are
 * there already and giving some that are needed. Linear ones are always worth it.
 */
function worthwhile(candidates: readonly Role[], options: Int8StaticOptions, report: ReportBuilder): Role[] {
  const given = new Set<string>();
  const between = candidates.filter((role) => {
    const isFed = role.kind === 'linear' || role.inputs.some((input) => given.has(input));
    if (isFed && (role.kind === 'direct' || hasRange(options, role.output))) given.add(role.output);
    return isFed;
  });
  const needed = new Set<string>();
  const kept = between.toReversed().filter((role) => {
    const isNeeded = role.kind === 'linear' || needed.has(role.output);
    if (isNeeded) for (const input of role.inputs) needed.add(input);
    return isNeeded;
  });
  const chosen = new Set(kept);
  for (const role of candidates) {
    if (chosen.has(role)) continue;
    report.skip(role.node, 'its neighbours work in float, so it would gain nothing');
    if (role.clamp !== undefined) report.skip(role.clamp.node, 'the node before it stays in float');
  }
  return kept.toReversed();
}
