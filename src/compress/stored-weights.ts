import { isDefaultDomain } from '../graph/describe.ts';
import type { NodeProto, TensorProto } from '../graph/gen/onnx_pb.ts';
import type { Graph } from '../graph/graph.ts';
import { dimsOf, isFloatTensor } from '../graph/tensor-data.ts';
import type { ReportBuilder } from './pass.ts';

/** Which weights are stored in a smaller form, from which the runtime makes the floats when it loads the model. */
export interface StorageChoice {
  /** Tensors with fewer elements stay as they are. */
  readonly minElements: number;
  /** Names of nodes whose weights stay as they are. */
  readonly keep: ReadonlySet<string> | undefined;
  /** Operators (`MatMul`) whose weights stay as they are. */
  readonly blocked: ReadonlySet<string> | undefined;
}

/** A constant that may be stored in another form, and the nodes that take it. */
export interface StoredWeight {
  readonly name: string;
  readonly tensor: TensorProto;
  readonly dims: readonly number[];
  readonly users: readonly NodeProto[];
}

/** The large FP32 constants of a graph; the report is told which nodes have none, or may not lose theirs. */
export function storedWeights(graph: Graph, choice: StorageChoice, report: ReportBuilder): StoredWeight[] {
  const weights: StoredWeight[] = [];
  const used = new Set<NodeProto>();
  for (const tensor of graph.initializers) {
    const dims = dimsOf(tensor);
    const elements = dims.reduce((count, dim) => count * dim, 1);
    if (!isFloatTensor(tensor) || elements < choice.minElements) continue;
    const users = graph.consumers(tensor.name);
    for (const user of users) used.add(user);
    const blocked = users.find((user) => isBlocked(user, choice));
    if (blocked !== undefined) {
      report.skip(blocked, 'its weights were asked to stay as they are');
    } else if (!graph.outputs.some(({ name }) => name === tensor.name)) {
      weights.push({ name: tensor.name, tensor, dims, users });
    }
  }
  for (const node of graph.nodes) if (!used.has(node)) report.skip(node, 'it has no large FP32 weights');
  return weights;
}

function isBlocked(node: NodeProto, { keep, blocked }: StorageChoice): boolean {
  return (
    keep?.has(node.name) === true || (isDefaultDomain(node.domain) && blocked?.has(node.opType) === true)
  );
}
