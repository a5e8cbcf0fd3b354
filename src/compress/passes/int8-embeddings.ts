import { intAttribute } from '../../graph/attributes.ts';
import { int, tensor } from '../../graph/build-model.ts';
import { isDefaultDomain } from '../../graph/describe.ts';
import type { NodeProto } from '../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../graph/graph.ts';
import { dimsOf } from '../../graph/tensor-data.ts';
import { DATATYPES } from '../../tensor/datatype.ts';
import { CLEAN } from '../conditions.ts';
import { type Pass, ReportBuilder } from '../pass.ts';
import { channelView, quantizeWeights, weightScales } from '../quantize.ts';

/** Options of `int8Embeddings`. */
export interface Int8EmbeddingsOptions {
  /** Tables with fewer elements stay in float; by default 4096. */
  readonly minElements?: number;
  /** Names of nodes that stay in float. */
  readonly keep?: ReadonlySet<string>;
}

const MIN_ELEMENTS = 4096;

/**
 * Stores embedding tables as 8-bit integers with a scale for each row: Gather becomes Gather of integers → Cast → Mul
 * with the gathered scales. The result is exact to half a scale.
 */
export function int8Embeddings(options: Int8EmbeddingsOptions = {}): Pass {
  return {
    name: 'int8-embeddings',
    needs: CLEAN,
    changes: 'stores the tables that Gather looks rows up in as 8-bit integers',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      const tables = new Map<string, readonly [integers: string, scales: string]>();
      for (const node of graph.sorted()) {
        const reason = obstacle(graph, node, options);
        if (reason !== undefined) {
          report.skip(node, reason);
          continue;
        }
        replaceGather(graph, node, tables);
        report.handle(node);
      }
      return report.report();
    },
  };
}

function obstacle(graph: Graph, node: NodeProto, options: Int8EmbeddingsOptions): string | undefined {
  if (!isGather(node)) return `it looks nothing up (${node.opType})`;
  if (options.keep?.has(node.name) === true) return 'it was asked to stay in float';
  const [table = ''] = node.input;
  const constant = graph.constant(table);
  if (constant === undefined) return 'it looks up what the graph computes';
  if (constant.dims.length !== 2 || intAttribute(node, 'axis', 0) !== 0)
    return 'it does not look up rows of a matrix';
  const values = graph.floats(table);
  if (values === undefined) return 'its table is not FP32';
  const least = options.minElements ?? MIN_ELEMENTS;
  if (values.length < least) return `its table has fewer than ${least} elements`;
  const others = graph.consumers(table).some((user) => !isGather(user));
  return others || graph.isPinned(table) ? 'its table is used in float elsewhere' : undefined;
}

function isGather(node: NodeProto): boolean {
  return node.opType === 'Gather' && isDefaultDomain(node.domain);
}

function replaceGather(
  graph: Graph,
  node: NodeProto,
  tables: Map<string, readonly [integers: string, scales: string]>,
): void {
  const [table = '', indices = ''] = node.input;
  const [output = ''] = node.output;
  const [integers, scales] = tables.get(table) ?? storeTable(graph, table);
  tables.set(table, [integers, scales]);
  graph.remove(node);
  const rows = graph.fresh(`${output}_rows`);
  const floats = graph.fresh(`${output}_floats`);
  const rowScales = graph.fresh(`${output}_scales`);
  graph.add({ op: 'Gather', name: node.name, inputs: [integers, indices], outputs: [rows] });
  graph.add({ op: 'Gather', inputs: [scales, indices], outputs: [rowScales] });
  const attributes = { to: int(DATATYPES.FP32.onnx) };
  graph.add({ op: 'Cast', inputs: [rows], outputs: [floats], attributes });
  graph.add({ op: 'Mul', inputs: [floats, rowScales], outputs: [output] });
}

function storeTable(graph: Graph, table: string): readonly [integers: string, scales: string] {
  const constant = graph.constant(table);
  const values = graph.floats(table) ?? new Float32Array(0);
  const dims = constant === undefined ? [0, 0] : dimsOf(constant);
  const view = channelView(dims, 0);
  const scales = weightScales(values, view);
  const integers = quantizeWeights(values, view, scales);
  return [
    graph.setInitializer(tensor(graph.fresh(`${table}_quantized`), 'INT8', dims, integers)),
    graph.setInitializer(tensor(graph.fresh(`${table}_scales`), 'FP32', [view.channels, 1], scales)),
  ];
}
