import { rm } from 'node:fs/promises';
import { Calibrator } from '../../compress/calibration/calibrator.ts';
import { ChannelMeans } from '../../compress/calibration/channel-means.ts';
import type { Range } from '../../compress/calibration/range.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { writeModel } from '../../graph/write-model.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { MemoryPeak } from './memory-peak.ts';
import {
  type ChannelsOf,
  channelMeanOutput,
  EXTREMES,
  withChannelMeans,
  withExtremes,
  withOutputs,
} from './observation-model.ts';
import { Session } from './session.ts';
import type { WorkFolder } from './work-folder.ts';

/** Values of one sample that are taken out of a run at one time, in bytes. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Samples that can be gone through several times, each time in the same order. */
export type Samples = () => AsyncIterable<readonly Tensor[]>;

/** Where observation models are run. */
export interface ObservationContext {
  readonly work: WorkFolder;
  readonly memory: MemoryPeak;
  readonly samples: Samples;
}

/** What one pass over the samples finds without taking values out of the runs; survives JSON. */
export interface Overview {
  /** Range of every tensor, and how many elements it has in one sample at most. */
  readonly tensors: ReadonlyArray<{ readonly name: string; readonly range: Range; readonly size: number }>;
  /** Mean of every channel, by tensor. */
  readonly means: ReadonlyArray<readonly [name: string, means: readonly number[]]>;
}

/**
 * Runs the model on all samples and finds the smallest and largest value of the FP32 tensors `names`, and the mean of
 * every channel of the tensors `channels`.
 */
export async function observeOverview(
  context: ObservationContext,
  model: ModelProto,
  names: readonly string[],
  channels: readonly ChannelsOf[],
): Promise<Overview> {
  const calibrator = new Calibrator();
  const sizes = new Map<string, number>();
  const means = new ChannelMeans();
  const wanted = [
    EXTREMES.min,
    EXTREMES.max,
    EXTREMES.size,
    ...channels.map((_, at) => channelMeanOutput(at)),
  ];
  const observed = withChannelMeans(withExtremes(model, names), channels);
  await runObserved(context, observed, wanted, ([least, most, counts, ...rows]) => {
    const [leastOf, mostOf, countOf] = [least, most, counts].map((one) => (one && numbersOf(one)) ?? []);
    for (const [index, name] of names.entries()) {
      calibrator.observeExtremes(name, leastOf?.[index] ?? 0, mostOf?.[index] ?? 0);
      sizes.set(name, Math.max(sizes.get(name) ?? 0, countOf?.[index] ?? 0));
    }
    for (const [index, row] of rows.entries()) {
      means.observe(channels[index]?.name ?? '', numbersOf(row) ?? [], row.shape, 0);
    }
  });
  const rangeOf = (name: string): Range => calibrator.range(name, { type: 'minmax' });
  return {
    tensors: names.map((name) => ({ name, range: rangeOf(name), size: sizes.get(name) ?? 0 })),
    means: channels.map(({ name }) => [name, [...(means.means(name) ?? [])]]),
  };
}

/**
 * Runs the model on all samples and counts the values of each of these FP32 tensors; `sizes` are their elements a
 * sample. The tensors are taken a group at a time, so that memory does not grow with the model's depth.
 */
export async function observeValues(
  context: ObservationContext,
  model: ModelProto,
  sizes: ReadonlyMap<string, number>,
): Promise<Calibrator> {
  const calibrator = new Calibrator();
  for (const group of groups(sizes)) {
    await runObserved(context, withOutputs(model, group), group, (outputs) => {
      for (const tensor of outputs) calibrator.observe(tensor.name, numbersOf(tensor) ?? []);
    });
  }
  return calibrator;
}

async function runObserved(
  { work, memory, samples }: ObservationContext,
  model: ModelProto,
  outputs: readonly string[],
  observe: (outputs: readonly Tensor[]) => void,
): Promise<void> {
  const path = work.temporary('observation.onnx');
  try {
    await writeModel(path, model);
    const session = await Session.open(path, memory);
    try {
      for await (const run of session.run(samples(), outputs)) observe(run.outputs);
    } finally {
      session.close();
    }
  } finally {
    await rm(path, { force: true });
  }
}

/** Names in their order, cut where a group would hold more than `GROUP_BYTES`; a larger tensor is a group of its own. */
function groups(sizes: ReadonlyMap<string, number>): string[][] {
  const found: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [name, count] of sizes) {
    bytes += count * Float32Array.BYTES_PER_ELEMENT;
    if (bytes > GROUP_BYTES) {
      found.push([]);
      bytes = count * Float32Array.BYTES_PER_ELEMENT;
    }
    found.at(-1)?.push(name);
  }
  return found;
}
