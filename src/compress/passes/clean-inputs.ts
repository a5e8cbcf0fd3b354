import { constantTensor } from '../../graph/constant-node.ts';
import type { NodeProto } from '../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLEAN, DATA_INSIDE } from '../conditions.ts';
import type { Pass } from '../pass.ts';
import { ReportBuilder } from '../pass.ts';

/** The first IR version whose initializers need not be listed as inputs. */
const IR_WITHOUT_INPUTS = 4n;

/**
 * Brings a model into the form that the other passes build on: initializers are not inputs (IR version at least 4),
 * Constant nodes of the main graph are initializers, every node has a name of its own, unused operator sets (which the
 * runtime stamps on what it has optimized) and dead nodes are gone.
 */
export function cleanInputs(): Pass {
  return {
    name: 'clean-inputs',
    needs: [DATA_INSIDE],
    changes:
      'takes initializers off the inputs, makes Constant nodes initializers, names nodes, drops unused operator sets',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      takeInitializersOffInputs(graph);
      for (const node of graph.nodes) {
        if (constantToInitializer(graph, node)) report.handle(node);
      }
      graph.removeDead();
      nameNodes(graph);
      graph.dropUnusedOpsets();
      return report.report();
    },
  };
}

function takeInitializersOffInputs(graph: Graph): void {
  const given = new Set(graph.initializers.map(({ name }) => name));
  graph.filterInputs((name) => !given.has(name));
  if (graph.irVersion < IR_WITHOUT_INPUTS) graph.irVersion = IR_WITHOUT_INPUTS;
}

function constantToInitializer(graph: Graph, node: NodeProto): boolean {
  const constant = constantTensor(node);
  // An output of the model stays the output of a node.
  if (constant === undefined || graph.outputs.some(({ name }) => name === constant.name)) return false;
  graph.remove(node);
  graph.setInitializer(constant);
  return true;
}

function nameNodes(graph: Graph): void {
  const seen = new Set<string>();
  for (const node of graph.sorted()) {
    if (node.name === '' || seen.has(node.name)) graph.nameNode(node, node.name);
    seen.add(node.name);
  }
}
