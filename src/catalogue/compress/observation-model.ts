import { create } from '@bufbuild/protobuf';
import { buildModel, int, ints, type NodeSpec, tensor, type ValueSpec } from '../../graph/build-model.ts';
import { copyMessage } from '../../graph/copy-message.ts';
import { type ModelProto, type TensorProto, ValueInfoProtoSchema } from '../../graph/gen/onnx_pb.ts';
import { DATATYPES } from '../../tensor/datatype.ts';

/** Prefix of every name that is added to a model here; no model of ours to read has it. */
const PREFIX = 'selvage.observe.';
/** From this version of ai.onnx on, ReduceMean takes its axes as an input. */
const AXES_INPUT_OPSET = 18;

/** Name of the output that `withOverview` adds. */
export const OVERVIEW = `${PREFIX}overview`;

/** Values that describe a tensor in the overview, before the means of its channels: minimum, maximum, element count. */
export const OVERVIEW_VALUES = 3;

/** Where the channels of a tensor lie: along axis 1 of `rank` axes, or along the last of any number. */
export type ChannelAxis = { readonly axis: 1; readonly rank: number } | { readonly axis: -1 };

/** A FP32 tensor to be looked at. */
export interface Observed {
  readonly name: string;
  /** Where the means of its channels are wanted: where these lie and how many there are. */
  readonly channels?: ChannelAxis & { readonly count: number };
}

/**
 * The model with one further output, FP32: for each tensor its smallest and its largest value, how many elements it
 * has, and the means of its channels where they are wanted. The runtime reduces the tensors where they are, so that
 * none has to be copied out; since it works from an output backwards, one output for all lets it free each tensor
 * as soon as that has been looked at.
 */
export function withOverview(model: ModelProto, tensors: readonly Observed[]): ModelProto {
  const one = `${PREFIX}one`;
  const nodes: NodeSpec[] = [];
  const initializers = [tensor(one, 'INT64', [1], BigInt64Array.of(1n))];
  const rows: string[] = [];
  const add = (
    op: string,
    inputs: string[],
    output: string,
    attributes: NodeSpec['attributes'] = {},
  ): string => {
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  const addRow = (value: string): void => {
    rows.push(add('Reshape', [value, one], `${value}.row`));
  };
  for (const [index, { name, channels }] of tensors.entries()) {
    const prefix = `${PREFIX}${index}`;
    addRow(add('ReduceMin', [name], `${prefix}.min`, { keepdims: int(0) }));
    addRow(add('ReduceMax', [name], `${prefix}.max`, { keepdims: int(0) }));
    const count = add('Size', [name], `${prefix}.count`);
    addRow(add('Cast', [count], `${prefix}.size`, { to: int(DATATYPES.FP32.onnx) }));
    if (channels === undefined) continue;
    const means = channelMeans(model, name, prefix, channels);
    nodes.push(...means.nodes);
    initializers.push(...means.initializers);
    rows.push(means.output);
  }
  add('Concat', rows, OVERVIEW, { axis: int(0) });
  return extended(model, {
    nodes,
    initializers,
    outputs: [{ name: OVERVIEW, datatype: 'FP32', dims: [null] }],
  });
}

/** Nodes that give the mean of each channel of a tensor, FP32 [channels]. */
function channelMeans(
  model: ModelProto,
  name: string,
  prefix: string,
  channels: ChannelAxis & { readonly count: number },
) {
  const output = `${prefix}.means`;
  const nodes: NodeSpec[] = [];
  const initializers: TensorProto[] = [];
  const constant = (suffix: string, values: readonly number[]): string => {
    initializers.push(tensor(prefix + suffix, 'INT64', [values.length], BigInt64Array.from(values, BigInt)));
    return prefix + suffix;
  };
  let source = name;
  let axes = [0];
  if (channels.axis === 1)
    axes = Array.from({ length: channels.rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  else {
    source = `${prefix}.rows`;
    nodes.push({
      op: 'Reshape',
      inputs: [name, constant('.shape', [-1, channels.count])],
      outputs: [source],
    });
  }
  const takesAxes = opsetOf(model) >= AXES_INPUT_OPSET;
  nodes.push({
    op: 'ReduceMean',
    inputs: takesAxes ? [source, constant('.axes', axes)] : [source],
    outputs: [output],
    attributes: { keepdims: int(0), ...(takesAxes ? {} : { axes: ints(axes) }) },
  });
  return { nodes, initializers, output };
}

/** The model with these values as further outputs, whatever their types and shapes: the runtime infers them. */
export function withOutputs(model: ModelProto, names: readonly string[]): ModelProto {
  const result = copyMessage(model);
  if (model.graph === undefined) return result;
  const known = new Set(model.graph.output.map(({ name }) => name));
  const added = names
    .filter((name) => !known.has(name))
    .map((name) => create(ValueInfoProtoSchema, { name }));
  result.graph = copyMessage(model.graph);
  result.graph.output = [...model.graph.output, ...added];
  return result;
}

/** The version of the operator set ai.onnx that a model imports. */
function opsetOf(model: ModelProto): number {
  const found = model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return Number(found?.version ?? 1);
}

/** A copy of a model that shares everything with it but the lists that are longer. */
function extended(
  model: ModelProto,
  more: {
    readonly nodes: readonly NodeSpec[];
    readonly initializers: readonly TensorProto[];
    readonly outputs: readonly ValueSpec[];
  },
): ModelProto {
  const { graph } = model;
  const added = buildModel({ inputs: [], ...more }).graph;
  if (graph === undefined || added === undefined) return model;
  const result = copyMessage(model);
  result.graph = copyMessage(graph);
  result.graph.node = [...graph.node, ...added.node];
  result.graph.initializer = [...graph.initializer, ...added.initializer];
  result.graph.output = [...graph.output, ...added.output];
  return result;
}
