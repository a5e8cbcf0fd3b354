import { attributeOf } from '../../../graph/attributes.ts';
import { isDefaultDomain } from '../../../graph/describe.ts';
import type { NodeProto } from '../../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../../graph/graph.ts';
import type { ValueRange } from '../../quantize.ts';

/** The bounds that a Relu or Clip puts on values; undefined for other nodes and bounds that are not constant. */
export function clampOf(graph: Graph, node: NodeProto): ValueRange | undefined {
  if (!isDefaultDomain(node.domain)) return undefined;
  if (node.opType === 'Relu') return { min: 0, max: Number.POSITIVE_INFINITY };
  if (node.opType !== 'Clip') return undefined;
  const min = bound(graph, node, 'min', 1) ?? Number.NEGATIVE_INFINITY;
  const max = bound(graph, node, 'max', 2) ?? Number.POSITIVE_INFINITY;
  return Number.isNaN(min) || Number.isNaN(max) ? undefined : { min, max };
}

/** An attribute before opset 11, an input since; NaN where it is not known. */
function bound(graph: Graph, node: NodeProto, name: string, index: number): number | undefined {
  const attribute = attributeOf(node, name);
  if (attribute !== undefined) return attribute.f;
  const input = node.input[index] ?? '';
  return input === '' ? undefined : (graph.floats(input)?.[0] ?? Number.NaN);
}

/** Whether quantizing to these representable values cuts off at least what the clamp does, up to rounding of the scale. */
export function impliesClamp(representable: ValueRange, clamp: ValueRange): boolean {
  const slack = (representable.max - representable.min) * 1e-6;
  return representable.min >= clamp.min - slack && representable.max <= clamp.max + slack;
}
