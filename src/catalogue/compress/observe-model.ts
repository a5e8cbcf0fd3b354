import { rm } from 'node:fs/promises';
import { Calibrator } from '../../compress/calibration/calibrator.ts';
import { ChannelMeans } from '../../compress/calibration/channel-means.ts';
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

/** The extremes of tensors, and how many elements each has in one sample at most. */
export interface Extremes {
  readonly calibrator: Calibrator;
  readonly sizes: ReadonlyMap<string, number>;
}

/** Runs the model on all samples and finds the smallest and largest value of each of these FP32 tensors. */
export async function observeExtremes(
  context: ObservationContext,
  model: ModelProto,
  names: readonly string[],
): Promise<Extremes> {
  const calibrator = new Calibrator();
  const sizes = new Map<string, number>();
  if (names.length === 0) return { calibrator, sizes };
  const wanted = [EXTREMES.min, EXTREMES.max, EXTREMES.size];
  await runObserved(context, withExtremes(model, names), wanted, (outputs) => {
    const [least, most, counts] = outputs.map((tensor) => numbersOf(tensor) ?? []);
    for (const [index, name] of names.entries()) {
      calibrator.observeExtremes(name, least?.[index] ?? 0, most?.[index] ?? 0);
      sizes.set(name, Math.max(sizes.get(name) ?? 0, counts?.[index] ?? 0));
    }
  });
  return { calibrator, sizes };
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

/** Runs the model on all samples and finds the mean of every channel of these FP32 tensors, by name. */
export async function observeChannelMeans(
  context: ObservationContext,
  model: ModelProto,
  tensors: readonly ChannelsOf[],
): Promise<Map<string, Float64Array>> {
  const means = new ChannelMeans();
  if (tensors.length === 0) return new Map();
  const wanted = tensors.map((_, index) => channelMeanOutput(index));
  await runObserved(context, withChannelMeans(model, tensors), wanted, (outputs) => {
    for (const [index, tensor] of outputs.entries()) {
      means.observe(tensors[index]?.name ?? '', numbersOf(tensor) ?? [], tensor.shape, 0);
    }
  });
  return new Map(
    tensors.flatMap(({ name }) => {
      const found = means.means(name);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
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
