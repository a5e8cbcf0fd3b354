import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
} from './gen/onnx_pb.ts';

/** The graphs that an attribute holds: bodies of If, Loop, Scan and their like. */
export function graphsOf(attribute: AttributeProto): GraphProto[] {
  return attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs];
}

/** The dense tensors that an attribute holds, those inside sparse tensors included. */
export function attributeTensors(attribute: AttributeProto): TensorProto[] {
  const sparse = attribute.sparseTensor === undefined ? [] : [attribute.sparseTensor];
  const tensors = attribute.t === undefined ? attribute.tensors : [attribute.t, ...attribute.tensors];
  const inSparse = [...sparse, ...attribute.sparseTensors].flatMap(({ values, indices }) => [
    values,
    indices,
  ]);
  return [...tensors, ...inSparse.filter((tensor) => tensor !== undefined)];
}

/** All nodes that inference may run: of the graph, of the graphs inside it, and of the model's functions. */
export function* allNodes(model: ModelProto): Generator<NodeProto> {
  if (model.graph !== undefined) yield* nodesWithin(model.graph);
  for (const fn of model.functions) yield* nodesWithin(fn);
}

/** The nodes of a graph or function and of the graphs inside it. */
export function* nodesWithin(graph: GraphProto | FunctionProto): Generator<NodeProto> {
  for (const node of graph.node) {
    yield node;
    for (const attribute of node.attribute) {
      for (const inner of graphsOf(attribute)) yield* nodesWithin(inner);
    }
  }
}

/** Every dense tensor stored with what inference may run: initializers and attributes (Constant nodes), in all graphs. */
export function* allTensors(model: ModelProto): Generator<TensorProto> {
  if (model.graph !== undefined) yield* tensorsWithin(model.graph);
  for (const fn of model.functions) yield* tensorsOfNodes(fn.node);
}

function* tensorsWithin(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const { values, indices } of graph.sparseInitializer) {
    if (values !== undefined) yield values;
    if (indices !== undefined) yield indices;
  }
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const node of nodes) {
    for (const attribute of node.attribute) {
      yield* attributeTensors(attribute);
      for (const inner of graphsOf(attribute)) yield* tensorsWithin(inner);
    }
  }
}
