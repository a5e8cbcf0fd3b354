import { SelvageError } from '../lib/errors.ts';
import { type CheckContext, checkSparseTensor, checkTensor } from './check-tensor.ts';
import { describeNode, printable, quoted } from './describe.ts';
import { findCycle } from './find-cycle.ts';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';
import { graphsOf } from './walk.ts';

/** What the checks of all graphs of a model share. */
export interface GraphContext extends CheckContext {
  /** Looks at one node by itself (operator, domain); throws where the model cannot be run. */
  readonly checkNode: (node: NodeProto, describe: () => string) => void;
}

/** A graph or a function's body, and where it is. */
interface Body {
  readonly nodes: readonly NodeProto[];
  /** The node that gives each name its value; -1 for inputs and initializers. */
  readonly producers: Map<string, number>;
  /** '' for the main graph, else for example ` in then_branch of node 'if' (If)`. */
  readonly where: () => string;
  readonly depth: number;
  /** The graph around it, whose names it sees. */
  readonly outer: Body | undefined;
}

/**
 * Checks a model's main graph and the graphs inside it: every name has one definition, every value that is used is
 * produced, nodes form no cycle, tensors hold what their shapes say. Nodes may be in any order, as the runtime sorts them.
 */
export function checkGraph(context: GraphContext, graph: GraphProto): void {
  checkInnerGraph(context, graph, () => '', undefined);
}

/** Checks the body of one of the model's functions in the same way. */
export function checkFunction(context: GraphContext, fn: FunctionProto): void {
  const where = () => ` in function ${quoted(fn.name)}`;
  const body: Body = { nodes: fn.node, producers: new Map(), where, depth: 1, outer: undefined };
  for (const name of fn.input) define(context, body, name, -1, () => 'input');
  defineNodeOutputs(context, body);
  checkNodes(context, body);
  requireOutputs(context, body, fn.output);
}

/** Returns the names that the graph takes from the graphs around it. */
function checkInnerGraph(
  context: GraphContext,
  graph: GraphProto,
  where: () => string,
  outer: Body | undefined,
): Set<string> {
  const depth = outer === undefined ? 1 : outer.depth + 1;
  if (depth > MODEL_LIMITS.graphDepth) {
    throw unsupported(context, `graphs are nested more than ${MODEL_LIMITS.graphDepth} deep`);
  }
  const body: Body = { nodes: graph.node, producers: new Map(), where, depth, outer };
  defineInputs(context, body, graph);
  defineNodeOutputs(context, body);
  const free = checkNodes(context, body);
  const outputs = graph.output.map((output) => output.name);
  for (const name of requireOutputs(context, body, outputs)) free.add(name);
  return free;
}

/** Inputs and initializers; an initializer with the name of an input is that input's default. */
function defineInputs(context: GraphContext, body: Body, graph: GraphProto): void {
  for (const input of graph.input) define(context, body, input.name, -1, () => 'input');
  const inputs = new Set(body.producers.keys());
  const sparse = graph.sparseInitializer.map((tensor) => tensor.values?.name ?? '');
  for (const name of [...graph.initializer.map((tensor) => tensor.name), ...sparse]) {
    if (!inputs.delete(name)) define(context, body, name, -1, () => 'initializer');
  }
  for (const tensor of graph.initializer) checkTensor(context, tensor, body.where);
  for (const tensor of graph.sparseInitializer) checkSparseTensor(context, tensor, body.where);
}

function defineNodeOutputs(context: GraphContext, body: Body): void {
  for (const [index, node] of body.nodes.entries()) {
    for (const name of node.output) {
      if (name !== '') define(context, body, name, index, () => `output of ${describeNode(node, index)}`);
    }
  }
}

function define(context: GraphContext, body: Body, name: string, producer: number, as: () => string): void {
  if (name === '') throw invalid(context, `an ${as()}${body.where()} has no name`);
  const first = body.producers.get(name);
  if (first !== undefined) {
    const node = body.nodes[first];
    const already =
      node === undefined ? 'an input or initializer' : `an output of ${describeNode(node, first)}`;
    throw invalid(context, `${quoted(name)}, ${as()}${body.where()}, is already the name of ${already}`);
  }
  body.producers.set(name, producer);
}

/** Checks the nodes and that they form no cycle; returns the names they take from outside the body. */
function checkNodes(context: GraphContext, body: Body): Set<string> {
  const free = new Set<string>();
  const needs = body.nodes.map((node, index) => {
    const describe = () => `${describeNode(node, index)}${body.where()}`;
    context.checkNode(node, describe);
    const used = node.input.filter((name) => name !== '');
    for (const attribute of node.attribute) {
      for (const name of checkAttribute(context, attribute, describe, body)) used.push(name);
    }
    return needsOf(context, body, used, describe, free);
  });
  const cycle = findCycle(needs);
  if (cycle !== undefined) throw invalid(context, describeCycle(body, cycle));
  return free;
}

/** The nodes of the body that must run before one which uses these names. */
function needsOf(
  context: GraphContext,
  body: Body,
  used: readonly string[],
  describe: () => string,
  free: Set<string>,
): number[] {
  const needs: number[] = [];
  for (const name of used) {
    const producer = body.producers.get(name);
    if (producer !== undefined) {
      if (producer >= 0) needs.push(producer);
    } else if (isVisible(body.outer, name)) {
      free.add(name);
    } else {
      throw invalid(context, `${describe()} takes ${quoted(name)}, which nothing produces`);
    }
  }
  return needs;
}

/** Checks an attribute's tensors and graphs; returns the names that its graphs take from around them. */
function checkAttribute(
  context: GraphContext,
  attribute: AttributeProto,
  describe: () => string,
  body: Body,
): string[] {
  const inNode = () =>
    ` in ${printable(attribute.name)} of ${body.depth > 3 ? 'a deeply nested node' : describe()}`;
  if (attribute.t !== undefined) checkTensor(context, attribute.t, inNode);
  for (const tensor of attribute.tensors) checkTensor(context, tensor, inNode);
  if (attribute.sparseTensor !== undefined) checkSparseTensor(context, attribute.sparseTensor, inNode);
  for (const tensor of attribute.sparseTensors) checkSparseTensor(context, tensor, inNode);
  return graphsOf(attribute).flatMap((graph) => [...checkInnerGraph(context, graph, inNode, body)]);
}

/** Returns the outputs that come from outside the body. */
function requireOutputs(context: GraphContext, body: Body, outputs: readonly string[]): string[] {
  return outputs.filter((name) => {
    if (body.producers.has(name)) return false;
    if (isVisible(body.outer, name)) return true;
    throw invalid(context, `nothing produces the output ${quoted(name)}${body.where()}`);
  });
}

function isVisible(body: Body | undefined, name: string): boolean {
  for (let scope = body; scope !== undefined; scope = scope.outer) {
    if (scope.producers.has(name)) return true;
  }
  return false;
}

function describeCycle(body: Body, cycle: readonly number[]): string {
  const names = cycle.slice(0, 8).flatMap((index) => {
    const node = body.nodes[index];
    return node === undefined ? [] : [describeNode(node, index)];
  });
  const more = cycle.length > names.length ? ` → ${cycle.length - names.length} more` : '';
  return `the graph${body.where()} has a cycle: ${names.join(' → ')}${more} → ${names[0]}`;
}

function invalid(context: CheckContext, problem: string): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path: context.path, problem });
}

function unsupported(context: CheckContext, problem: string): SelvageError {
  return SelvageError.of('MODEL_UNSUPPORTED', { path: context.path, problem });
}
