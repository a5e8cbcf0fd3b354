import type { GraphProto, NodeProto } from './gen/onnx_pb.ts';
import { graphsOf } from './walk.ts';

/** The names that the bodies of a node (If, Loop, Scan) take from the graph around it. */
export function capturedNames(node: NodeProto): Set<string> {
  const free = new Set<string>();
  for (const attribute of node.attribute) {
    for (const body of graphsOf(attribute)) for (const name of freeNames(body)) free.add(name);
  }
  return free;
}

function freeNames(body: GraphProto): Set<string> {
  const own = new Set(body.input.map(({ name }) => name));
  for (const { name } of body.initializer) own.add(name);
  for (const { values } of body.sparseInitializer) own.add(values?.name ?? '');
  for (const node of body.node) for (const name of node.output) own.add(name);
  const free = new Set(body.output.map(({ name }) => name));
  for (const node of body.node) {
    for (const name of node.input) free.add(name);
    for (const name of capturedNames(node)) free.add(name);
  }
  free.delete('');
  return new Set([...free].filter((name) => !own.has(name)));
}
