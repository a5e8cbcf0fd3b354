import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DATATYPES, type Datatype } from '../tensor/datatype.ts';
import {
  type AttributeProto,
  type AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './gen/onnx_pb.ts';

/** An input or output: a string dimension is symbolic, null is unknown; without `dims` the rank is unknown. */
export interface ValueSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly dims?: readonly (number | string | null)[];
}

/** A node; `attributes` are made with `int`, `float`, `text`, `ints`, `floats`, `tensorValue` and `body`. */
export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** A graph to build. */
export interface GraphSpec {
  readonly name?: string;
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly nodes: readonly NodeSpec[];
  readonly initializers?: readonly TensorProto[];
}

/** A model to build: its graph, the version of ai.onnx (by default 17), further operator sets, IR version (8). */
export interface ModelSpec extends GraphSpec {
  readonly opset?: number;
  readonly opsets?: Readonly<Record<string, number>>;
  readonly irVersion?: number;
}

/** An attribute without its name. */
export type AttributeValue = Omit<MessageInitShape<typeof AttributeProtoSchema>, '$typeName' | 'name'>;

/** `AttributeProto.AttributeType`. */
const ATTRIBUTE_TYPE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
} as const satisfies Record<string, AttributeProto['type']>;

/** Builds a model in code. What it is told is not checked: `checkModel` does that. */
export function buildModel(spec: ModelSpec): ModelProto {
  const opsets = { '': spec.opset ?? 17, ...spec.opsets };
  return create(ModelProtoSchema, {
    irVersion: BigInt(spec.irVersion ?? 8),
    producerName: 'selvage',
    opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: buildGraph(spec),
  });
}

/** Builds a node to be added to a graph. */
export function buildNode(spec: NodeSpec): NodeProto {
  return create(NodeProtoSchema, nodeInit(spec));
}

/** Builds a graph, for example the body of a Loop. */
function buildGraph(spec: GraphSpec): GraphProto {
  return create(GraphProtoSchema, {
    name: spec.name ?? 'graph',
    input: spec.inputs.map(valueInfo),
    output: spec.outputs.map(valueInfo),
    node: spec.nodes.map(nodeInit),
    initializer: [...(spec.initializers ?? [])],
  });
}

/** A constant tensor with its elements, given little-endian and row-major as the datatype's array, as raw data. */
export function tensor(
  name: string,
  datatype: Exclude<Datatype, 'BYTES'>,
  dims: readonly number[],
  elements: ArrayBufferView,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: DATATYPES[datatype].onnx,
    dims: dims.map(BigInt),
    rawData: new Uint8Array(elements.buffer as ArrayBuffer, elements.byteOffset, elements.byteLength),
  });
}

/** An integer attribute. */
export function int(value: number): AttributeValue {
  return { type: ATTRIBUTE_TYPE.int, i: BigInt(value) };
}

/** An attribute that is a list of integers. */
export function ints(values: readonly number[]): AttributeValue {
  return { type: ATTRIBUTE_TYPE.ints, ints: values.map(BigInt) };
}

/** A float attribute. */
export function float(value: number): AttributeValue {
  return { type: ATTRIBUTE_TYPE.float, f: value };
}

/** An attribute that is a list of floats. */
export function floats(values: readonly number[]): AttributeValue {
  return { type: ATTRIBUTE_TYPE.floats, floats: [...values] };
}

/** A string attribute. */
export function text(value: string): AttributeValue {
  return { type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
}

/** A tensor attribute, as Constant nodes have. */
export function tensorValue(value: TensorProto): AttributeValue {
  return { type: ATTRIBUTE_TYPE.tensor, t: value };
}

/** A graph attribute: a branch of If, the body of Loop or Scan. */
export function body(spec: GraphSpec): AttributeValue {
  return { type: ATTRIBUTE_TYPE.graph, g: buildGraph(spec) };
}

function nodeInit(spec: NodeSpec): MessageInitShape<typeof NodeProtoSchema> {
  const attributes = Object.entries(spec.attributes ?? {});
  return {
    opType: spec.op,
    input: [...spec.inputs],
    output: [...spec.outputs],
    attribute: attributes.map(([name, value]) => ({ ...value, name })),
    ...(spec.name === undefined ? {} : { name: spec.name }),
    ...(spec.domain === undefined ? {} : { domain: spec.domain }),
  };
}

function valueInfo(spec: ValueSpec): MessageInitShape<typeof ValueInfoProtoSchema> {
  const shape = spec.dims === undefined ? {} : { shape: { dim: spec.dims.map(dimension) } };
  const tensorType = { elemType: DATATYPES[spec.datatype].onnx, ...shape };
  return { name: spec.name, type: { value: { case: 'tensorType', value: tensorType } } };
}

function dimension(dim: number | string | null) {
  if (dim === null) return {};
  return typeof dim === 'number'
    ? { value: { case: 'dimValue' as const, value: BigInt(dim) } }
    : { value: { case: 'dimParam' as const, value: dim } };
}
