import { isFieldSet } from '@bufbuild/protobuf';
import { SelvageError } from '../lib/errors.ts';
import { calledFunction, checkNodeCount, functionTable } from './check-functions.ts';
import { checkFunction, checkGraph } from './check-graph.ts';
import { isDefaultDomain, quoted } from './describe.ts';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';

/** The newest versions that ONNX Runtime 1.30 loads (it refuses later ones unless told to try; tried, not taken from its pages). */
const NEWEST = {
  ir: 13n,
  opsets: new Map([
    ['', 26n],
    ['ai.onnx.ml', 5n],
  ]),
} as const;

/** Domains whose operators are built into ONNX Runtime (its `constants.h`); which operators, it says itself. */
const RUNTIME_DOMAINS: ReadonlySet<string> = new Set([
  'ai.onnx.ml',
  'ai.onnx.preview',
  'ai.onnx.preview.training',
  'ai.onnx.training',
  'com.microsoft',
  'com.microsoft.dml',
  'com.microsoft.experimental',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
  'org.pytorch.aten',
]);

/**
 * Checks all that can be said about a model without running it, so that the runtime is given no broken or hostile
 * file: versions, names, cycles, tensor sizes, external data below the model's folder, nesting and counts.
 * Operators and types are left to the runtime, which is the judge of them. Training information is not looked at.
 * Throws MODEL_FILE_INVALID (the file is wrong) or MODEL_UNSUPPORTED (the runtime or Selvage cannot take it).
 * Reads the external files' sizes synchronously; like `readModel`, meant for a job or a command.
 */
export function checkModel(model: ModelProto, { path }: { readonly path: string }): void {
  const { graph } = model;
  if (graph === undefined) throw invalid(path, 'it holds no graph');
  checkVersions(model, path);
  checkSignature(graph, path);
  const functions = functionTable(model, path);
  checkNodeCount(model, functions, path);
  const checkNode = (node: NodeProto, describe: () => string) => {
    if (node.opType === '') throw invalid(path, `${describe()} names no operator`);
    if (isDefaultDomain(node.domain) || RUNTIME_DOMAINS.has(node.domain)) return;
    if (calledFunction(functions, node) !== undefined) return;
    throw unsupported(
      path,
      `${describe()} is of the custom domain ${quoted(node.domain)}, which the runtime lacks`,
    );
  };
  const context = { path, externalSizes: new Map<string, number>(), checkNode };
  for (const fn of model.functions) checkFunction(context, fn);
  checkGraph(context, graph);
}

function checkVersions(model: ModelProto, path: string): void {
  if (!isFieldSet(model, ModelProtoSchema.field.irVersion)) throw invalid(path, 'it states no IR version');
  if (model.irVersion > NEWEST.ir) {
    throw unsupported(path, `IR version ${model.irVersion}: the runtime reads versions up to ${NEWEST.ir}`);
  }
  if (model.opsetImport.length === 0) throw invalid(path, 'it imports no operator set (opset_import)');
  for (const { domain, version } of model.opsetImport) {
    const newest = NEWEST.opsets.get(isDefaultDomain(domain) ? '' : domain);
    const name = domain === '' ? 'ai.onnx' : domain;
    if (version < 1n) throw invalid(path, `opset ${version} of ${quoted(name)} does not exist`);
    if (newest !== undefined && version > newest) {
      throw unsupported(path, `opset ${version} of ${name}: the runtime has those up to ${newest}`);
    }
  }
}

/** Inputs and outputs of the main graph: what a caller would have to make room for. */
function checkSignature(graph: GraphProto, path: string): void {
  if (graph.output.length === 0) throw invalid(path, 'its graph has no outputs');
  for (const input of graph.input) {
    const elements = fixedElements(input);
    if (elements > BigInt(MODEL_LIMITS.denseSize)) {
      throw unsupported(path, `input ${quoted(input.name)} needs ${elements} elements or more`);
    }
  }
}

/** The product of the fixed dimensions of a tensor value: what it holds at least. */
function fixedElements(value: ValueInfoProto): bigint {
  const type = value.type?.value;
  if (type?.case !== 'tensorType') return 0n;
  let elements = 1n;
  for (const { value: dim } of type.value.shape?.dim ?? []) {
    if (dim.case === 'dimValue' && dim.value > 0n && elements < 2n ** 64n) elements *= dim.value;
  }
  return elements;
}

function invalid(path: string, problem: string): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path, problem });
}

function unsupported(path: string, problem: string): SelvageError {
  return SelvageError.of('MODEL_UNSUPPORTED', { path, problem });
}
