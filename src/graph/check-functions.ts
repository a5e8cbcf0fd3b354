import { SelvageError } from '../lib/errors.ts';
import { isDefaultDomain, quoted } from './describe.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';
import { nodesWithin } from './walk.ts';

/** The functions of a model by `functionKey`. */
export type FunctionTable = ReadonlyMap<string, FunctionProto>;

/** What identifies the function that a node calls, or that a FunctionProto defines. */
function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([isDefaultDomain(domain) ? '' : domain, name, overload]);
}

/** The function of the model that a node calls, or undefined where its operator is not one of them. */
export function calledFunction(table: FunctionTable, node: NodeProto): FunctionProto | undefined {
  return table.size === 0 ? undefined : table.get(functionKey(node.domain, node.opType, node.overload));
}

/** Indexes the functions of a model; throws MODEL_FILE_INVALID where two have the same name. */
export function functionTable(model: ModelProto, path: string): FunctionTable {
  const table = new Map<string, FunctionProto>();
  for (const fn of model.functions) {
    const key = functionKey(fn.domain, fn.name, fn.overload);
    if (table.has(key)) {
      const problem = `it defines function ${quoted(fn.name)} of domain ${quoted(fn.domain)} twice`;
      throw SelvageError.of('MODEL_FILE_INVALID', { path, problem });
    }
    table.set(key, fn);
  }
  return table;
}

/**
 * Counts the nodes of a model once the runtime has put the bodies of functions in place of their calls, which a few
 * functions that call each other several times can drive to any height. Throws MODEL_FILE_INVALID where a function
 * calls itself, MODEL_UNSUPPORTED where there are too many nodes or calls are nested too deep.
 */
export function checkNodeCount(model: ModelProto, table: FunctionTable, path: string): void {
  const counts = new Map<FunctionProto, number>();
  const calls: FunctionProto[] = [];
  const countIn = (body: GraphProto | FunctionProto): number => {
    let count = 0;
    for (const node of nodesWithin(body)) {
      const fn = calledFunction(table, node);
      count += fn === undefined ? 1 : countFunction(fn);
    }
    return count;
  };
  const countFunction = (fn: FunctionProto): number => {
    const known = counts.get(fn);
    if (known !== undefined) return known;
    if (calls.includes(fn)) throw recursive(path, fn);
    if (calls.length >= MODEL_LIMITS.graphDepth) {
      throw unsupported(path, `functions call each other more than ${MODEL_LIMITS.graphDepth} deep`);
    }
    calls.push(fn);
    const count = 1 + countIn(fn);
    calls.pop();
    counts.set(fn, count);
    return count;
  };
  for (const fn of model.functions) countFunction(fn);
  const total = model.graph === undefined ? 0 : countIn(model.graph);
  if (total > MODEL_LIMITS.nodes) {
    const expanded = model.functions.length > 0 ? ' once its functions are expanded' : '';
    throw unsupported(path, `it has more than ${MODEL_LIMITS.nodes} nodes${expanded}`);
  }
}

function recursive(path: string, fn: FunctionProto): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path, problem: `function ${quoted(fn.name)} calls itself` });
}

function unsupported(path: string, problem: string): SelvageError {
  return SelvageError.of('MODEL_UNSUPPORTED', { path, problem });
}
