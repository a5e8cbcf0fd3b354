import { create } from '@bufbuild/protobuf';
import type { ValueRange } from '../src/compress/quantize.ts';
import { copyMessage } from '../src/graph/copy-message.ts';
import { GraphProtoSchema, type ModelProto, ValueInfoProtoSchema } from '../src/graph/gen/onnx_pb.ts';
import { writeModel } from '../src/graph/write-model.ts';
import { type PlainTensor, runInRuntime } from './runtime.ts';

/** What the float values of a model's main graph were in some runs. */
export interface ValueStatistics {
  readonly ranges: Map<string, ValueRange>;
  /** Means by channel: axis 1 of values with 3 or more dimensions, else the last axis. */
  readonly means: Map<string, Float32Array>;
}

/**
 * Runs a model with every value as an output, writing it to `path` first, and says what its float values were. For
 * small models: all values pass through JSON.
 */
export async function observeValues(
  model: ModelProto,
  path: string,
  samples: readonly Readonly<Record<string, PlainTensor>>[],
): Promise<ValueStatistics> {
  await writeModel(path, withAllOutputs(model));
  const ranges = new Map<string, ValueRange>();
  const sums = new Map<string, { readonly sums: Float64Array; count: number }>();
  const results = await runInRuntime(samples.map((feeds) => ({ path, feeds })));
  for (const [index, { error, outputs }] of results.entries()) {
    if (error !== undefined) throw new Error(error);
    for (const [name, value] of Object.entries({ ...samples[index], ...outputs })) {
      if (value.type !== 'float32') continue;
      widen(ranges, name, value);
      addToMeans(sums, name, value);
    }
  }
  const means = new Map(
    [...sums].map(([name, { sums: total, count }]) => [name, Float32Array.from(total, (sum) => sum / count)]),
  );
  return { ranges, means };
}

function withAllOutputs(model: ModelProto): ModelProto {
  const result = copyMessage(model);
  const graph = copyMessage(model.graph ?? create(GraphProtoSchema));
  const known = new Set(graph.output.map(({ name }) => name));
  const names = graph.node.flatMap((node) => node.output).filter((name) => name !== '' && !known.has(name));
  graph.output = [...graph.output, ...names.map((name) => create(ValueInfoProtoSchema, { name }))];
  result.graph = graph;
  return result;
}

function widen(ranges: Map<string, ValueRange>, name: string, { data }: PlainTensor): void {
  let { min, max } = ranges.get(name) ?? { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  for (const value of data) {
    min = Math.min(min, Number(value));
    max = Math.max(max, Number(value));
  }
  if (data.length > 0) ranges.set(name, { min, max });
}

function addToMeans(
  sums: Map<string, { readonly sums: Float64Array; count: number }>,
  name: string,
  { dims, data }: PlainTensor,
): void {
  if (dims.length < 2) return;
  const axis = dims.length >= 3 ? 1 : dims.length - 1;
  const channels = dims[axis] ?? 1;
  const inner = dims.slice(axis + 1).reduce((size, dim) => size * dim, 1);
  const entry = sums.get(name) ?? { sums: new Float64Array(channels), count: 0 };
  if (entry.sums.length !== channels) return;
  for (const [index, value] of data.entries()) {
    const channel = Math.floor(index / inner) % channels;
    entry.sums[channel] = (entry.sums[channel] ?? 0) + Number(value);
  }
  entry.count += data.length / channels;
  sums.set(name, entry);
}
