import { attributeOf, intAttribute } from '../../graph/attributes.ts';
import { tensor } from '../../graph/build-model.ts';
import { isDefaultDomain } from '../../graph/describe.ts';
import type { NodeProto } from '../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../graph/graph.ts';
import { graphsOf } from '../../graph/walk.ts';
import { CLEAN } from '../conditions.ts';
import { type Pass, ReportBuilder } from '../pass.ts';

/** Integer convolutions exist from opset 10 on, integer MaxPool from this one. */
const TARGET = 12;
/** What comes before differs too much. */
const OLDEST = 7;

/**
 * Raises opsets 7 to 11 to 12, which has the operators on integers. Where that would change what a node means and the
 * node cannot be rewritten, the model stays as it is and the report names the node.
 */
export function raiseOpset(): Pass {
  return {
    name: 'raise-opset',
    needs: CLEAN,
    changes: `raises opsets ${OLDEST} to ${TARGET - 1} to ${TARGET}, which has operators on integers`,
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      const from = graph.opset();
      if (from < OLDEST || from >= TARGET) return report.report();
      for (const node of graph.nodes) {
        const reason = obstacle(node, from);
        if (reason !== undefined) report.skip(node, `${reason}, so opset ${from} stays`);
      }
      if (report.report().skipped.length > 0) return report.report();
      for (const node of graph.nodes) if (rewrite(graph, node, from)) report.handle(node);
      graph.setOpset('', TARGET);
      return report.report();
    },
  };
}

/** Operators that another opset changed in a way that is not converted here (ONNX's Changelog.md). */
const CHANGED: ReadonlyMap<string, readonly number[]> = new Map([
  ['Scan', [9]],
  ['TopK', [10]],
  ['Upsample', [9, 10]],
  ['Resize', [11]],
  ['Scatter', [11]],
  ['Dropout', [12]],
]);

function obstacle(node: NodeProto, from: number): string | undefined {
  if (node.attribute.some((attribute) => graphsOf(attribute).length > 0))
    return 'its bodies would change too';
  if (!isDefaultDomain(node.domain)) return undefined;
  const changed = CHANGED.get(node.opType)?.find((opset) => opset > from);
  if (changed !== undefined) return `${node.opType} changed in opset ${changed}`;
  const isBatchNormalization = node.opType === 'BatchNormalization' && from < 9;
  if (isBatchNormalization && intAttribute(node, 'spatial', 1) !== 1) return 'it normalizes by element';
  // The padding value has to be a constant of the tensor's type, which is not known here.
  const isPad = node.opType === 'Pad' && from < 11;
  if (isPad && (attributeOf(node, 'value')?.f ?? 0) !== 0) return 'it pads with a value other than 0';
  return undefined;
}

/** Gives a node the form of the newer opset; returns whether there was something to change. */
function rewrite(graph: Graph, node: NodeProto, from: number): boolean {
  if (!isDefaultDomain(node.domain)) return false;
  switch (node.opType) {
    case 'BatchNormalization':
      return from < 9 && dropAttributes(node, ['spatial']);
    case 'Slice':
      return from < 10 && moveIntegers(graph, node, ['starts', 'ends', 'axes']);
    case 'Pad':
      return from < 11 && moveIntegers(graph, node, ['pads']) && dropAttributes(node, ['value']);
    case 'Clip':
      return from < 11 && moveBounds(graph, node);
    default:
      return false;
  }
}

/** Makes attributes that are lists of integers the inputs from the second on. */
function moveIntegers(graph: Graph, node: NodeProto, names: readonly string[]): boolean {
  for (const [index, name] of names.entries()) {
    const values = attributeOf(node, name)?.ints;
    if (values === undefined) continue;
    const constant = graph.fresh(`${node.output[0]}_${name}`);
    graph.setInitializer(tensor(constant, 'INT64', [values.length], BigInt64Array.from(values)));
    graph.setInput(node, index + 1, constant);
  }
  dropAttributes(node, names);
  return true;
}

/** Before opset 11 Clip is for floats, with its bounds as attributes. */
function moveBounds(graph: Graph, node: NodeProto): boolean {
  for (const [index, name] of ['min', 'max'].entries()) {
    const value = attributeOf(node, name)?.f;
    if (value === undefined) continue;
    const constant = graph.fresh(`${node.output[0]}_${name}`);
    graph.setInitializer(tensor(constant, 'FP32', [], Float32Array.of(value)));
    graph.setInput(node, index + 1, constant);
  }
  return dropAttributes(node, ['min', 'max']);
}

function dropAttributes(node: NodeProto, names: readonly string[]): boolean {
  node.attribute = node.attribute.filter((attribute) => !names.includes(attribute.name));
  return true;
}
