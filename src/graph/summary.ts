import type { Datatype } from '../tensor/datatype.ts';
import { operatorName } from './describe.ts';
import { elementTypeLabel } from './element-types.ts';
import { externalFiles, locateExternal } from './external-data.ts';
import type { GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto } from './gen/onnx_pb.ts';
import type { LoadedModel } from './read-model.ts';
import { tensorSize } from './tensor-size.ts';
import { allNodes, allTensors } from './walk.ts';

/** What is in a model file, as plain data for `--json`. */
export interface ModelSummary {
  readonly path: string;
  readonly sizeBytes: number;
  readonly irVersion: number;
  /** Version by domain; ONNX's own is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly graph: string;
  /** What a caller must give: inputs that no initializer provides. */
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Nodes of all graphs and functions. */
  readonly nodeCount: number;
  /** How often each operator is used, the most frequent first. */
  readonly operators: readonly OperatorCount[];
  /** Elements of all stored tensors, Constant nodes' included, and the bytes they take. */
  readonly parameters: { readonly count: number; readonly sizeBytes: number };
  /** Files that hold tensors; the size is undefined where there is no such file. */
  readonly externalFiles: readonly { readonly location: string; readonly sizeBytes: number | undefined }[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** An input or output of a model. */
export interface ValueSummary {
  readonly name: string;
  /** The protocol's datatype, else ONNX's name of the type, such as `BFLOAT16` or `sequence(FP32)`. */
  readonly datatype: Datatype | (string & {});
  /** A string is a symbolic dimension, null an unknown one; undefined where not even the rank is known. */
  readonly dims: readonly (number | string | null)[] | undefined;
}

/** An operator and the number of nodes that use it. */
interface OperatorCount {
  readonly operator: string;
  readonly count: number;
}

/** Says what is in a model; reads the sizes of its external files, and nothing else, from disk. */
export function summarize({ path, sizeBytes, model }: LoadedModel): ModelSummary {
  const graph = model.graph;
  const operators = countOperators(model);
  return {
    path,
    sizeBytes,
    irVersion: Number(model.irVersion),
    opsets: Object.fromEntries(
      model.opsetImport.map(({ domain, version }) => [domain === '' ? 'ai.onnx' : domain, Number(version)]),
    ),
    producer: [model.producerName, model.producerVersion].filter((part) => part !== '').join(' '),
    graph: graph?.name ?? '',
    inputs: graph === undefined ? [] : callerInputs(graph).map(summarizeValue),
    outputs: (graph?.output ?? []).map(summarizeValue),
    nodeCount: operators.reduce((sum, { count }) => sum + count, 0),
    operators,
    parameters: countParameters(model),
    externalFiles: externalFiles(model).map((location) => ({ location, sizeBytes: sizeOf(path, location) })),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
  };
}

/** The inputs that a caller must give: up to IR version 3 a graph lists its initializers as inputs too. */
function callerInputs(graph: GraphProto): ValueInfoProto[] {
  const given = new Set(graph.initializer.map((tensor) => tensor.name));
  for (const { values } of graph.sparseInitializer) given.add(values?.name ?? '');
  return graph.input.filter((input) => !given.has(input.name));
}

function summarizeValue({ name, type }: ValueInfoProto): ValueSummary {
  const value = type?.value;
  const isTensor = value?.case === 'tensorType' || value?.case === 'sparseTensorType';
  return { name, datatype: typeLabel(type), dims: isTensor ? dimsOf(value.value.shape) : undefined };
}

function dimsOf(shape: TensorShapeProto | undefined): (number | string | null)[] | undefined {
  return shape?.dim.map(({ value }) => {
    // Some exporters write -1, and some an empty name, for a dimension that may have any size.
    if (value.case === 'dimValue') return value.value < 0n ? null : Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : null;
  });
}

function typeLabel(type: TypeProto | undefined): string {
  const value = type?.value;
  switch (value?.case) {
    case 'tensorType':
      return elementTypeLabel(value.value.elemType);
    case 'sparseTensorType':
      return `sparse(${elementTypeLabel(value.value.elemType)})`;
    case 'sequenceType':
      return `sequence(${typeLabel(value.value.elemType)})`;
    case 'optionalType':
      return `optional(${typeLabel(value.value.elemType)})`;
    case 'mapType':
      return `map(${elementTypeLabel(value.value.keyType)}, ${typeLabel(value.value.valueType)})`;
    case 'opaqueType':
      return `opaque(${value.value.domain}.${value.value.name})`;
    default:
      return 'unknown';
  }
}

function countOperators(model: ModelProto): OperatorCount[] {
  const counts = new Map<string, number>();
  for (const node of allNodes(model)) {
    const operator = operatorName(node);
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  return [...counts]
    .map(([operator, count]) => ({ operator, count }))
    .sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

function countParameters(model: ModelProto): { count: number; sizeBytes: number } {
  let count = 0;
  let sizeBytes = 0;
  for (const tensor of allTensors(model)) {
    const size = tensorSize(tensor);
    count += size.elements;
    sizeBytes += size.bytes;
  }
  return { count, sizeBytes };
}

function sizeOf(modelPath: string, location: string): number | undefined {
  const found = locateExternal(modelPath, location);
  return 'problem' in found ? undefined : found.sizeBytes;
}
