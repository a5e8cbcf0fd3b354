import { create } from '@bufbuild/protobuf';
import { buildModel, int, ints, type NodeSpec, tensor, type ValueSpec } from '../../graph/build-model.ts';
import { copyMessage } from '../../graph/copy-message.ts';
import { type ModelProto, type TensorProto, ValueInfoProtoSchema } from '../../graph/gen/onnx_pb.ts';

/** Prefix of every name that is added to a model here; no model of ours to read has it. */
const PREFIX = 'selvage.observe.';
/** From this version of ai.onnx on, ReduceMean takes its axes as an input. */
const AXES_INPUT_OPSET = 18;

/** Names of the outputs that `withExtremes` adds: each holds one element per tensor, in the order they were given. */
export const EXTREMES = { min: `${PREFIX}min`, max: `${PREFIX}max`, size: `${PREFIX}size` } as const;

/** A tensor whose channels' means are wanted: along axis 1 of `rank` axes, or along the last of any number. */
export interface ChannelsOf {
  readonly name: string;
  readonly axis: 1 | -1;
  /** Number of axes; needed for axis 1. */
  readonly rank: number;
  /** Number of channels; needed for axis -1. */
  readonly channels: number;
}

/**
 * The model with three further outputs (`EXTREMES`): the smallest and the largest value of each of these float32
 * tensors and how many elements it has. The runtime reduces them where they are, so that none has to be copied out.
 */
export function withExtremes(model: ModelProto, names: readonly string[]): ModelProto {
  const nodes: NodeSpec[] = [];
  const reduce = (op: string, output: string, attributes: NodeSpec['attributes']): void => {
    const rows = names.map((name, index) => {
      const [value, row] = [`${output}.${index}`, `${output}.${index}.row`];
      nodes.push({
        op,
        inputs: [name],
        outputs: [value],
        ...(attributes === undefined ? {} : { attributes }),
      });
      nodes.push({ op: 'Reshape', inputs: [value, `${PREFIX}one`], outputs: [row] });
      return row;
    });
    nodes.push({ op: 'Concat', inputs: rows, outputs: [output], attributes: { axis: int(0) } });
  };
  reduce('ReduceMin', EXTREMES.min, { keepdims: int(0) });
  reduce('ReduceMax', EXTREMES.max, { keepdims: int(0) });
  reduce('Size', EXTREMES.size, undefined);
  const dims = [names.length];
  return extended(model, {
    nodes,
    initializers: [tensor(`${PREFIX}one`, 'INT64', [1], BigInt64Array.of(1n))],
    outputs: [
      { name: EXTREMES.min, datatype: 'FP32', dims },
      { name: EXTREMES.max, datatype: 'FP32', dims },
      { name: EXTREMES.size, datatype: 'INT64', dims },
    ],
  });
}

/** The name of the output that `withChannelMeans` adds for the tensor at this place of its list. */
export function channelMeanOutput(index: number): string {
  return `${PREFIX}mean.${index}`;
}

/** The model with one further output for each tensor: the mean of each of its channels in this run, FP32 [channels]. */
export function withChannelMeans(model: ModelProto, tensors: readonly ChannelsOf[]): ModelProto {
  const nodes: NodeSpec[] = [];
  const initializers: TensorProto[] = [];
  const outputs: ValueSpec[] = [];
  const axesAsInput = opsetOf(model) >= AXES_INPUT_OPSET;
  for (const [index, { name, axis, rank, channels }] of tensors.entries()) {
    const output = channelMeanOutput(index);
    let source = name;
    let axes = [0];
    if (axis === 1) axes = Array.from({ length: rank }, (_, one) => one).filter((one) => one !== 1);
    else {
      source = `${output}.rows`;
      initializers.push(tensor(`${output}.shape`, 'INT64', [2], BigInt64Array.of(-1n, BigInt(channels))));
      nodes.push({ op: 'Reshape', inputs: [name, `${output}.shape`], outputs: [source] });
    }
    const keepdims = int(0);
    if (axesAsInput) {
      const values = BigInt64Array.from(axes.map(BigInt));
      initializers.push(tensor(`${output}.axes`, 'INT64', [axes.length], values));
      nodes.push({
        op: 'ReduceMean',
        inputs: [source, `${output}.axes`],
        outputs: [output],
        attributes: { keepdims },
      });
    } else {
      nodes.push({
        op: 'ReduceMean',
        inputs: [source],
        outputs: [output],
        attributes: { axes: ints(axes), keepdims },
      });
    }
    outputs.push({ name: output, datatype: 'FP32', dims: [null] });
  }
  return extended(model, { nodes, initializers, outputs });
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
