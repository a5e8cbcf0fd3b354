import { basename } from 'node:path';
import type { Dataset } from '../../compress/data/dataset.ts';
import { openDataset } from '../../compress/data/open-dataset.ts';
import type { TaskConfig } from '../../config/schema.ts';
import { MediaWorker } from '../../tasks/media-worker/media-worker.ts';
import { createTask } from '../../tasks/tasks.ts';
import type { ModelSignature } from '../../tensor/infer.ts';

/** Bounds on decoding one image; the defaults of `media` in the configuration. */
const MEDIA_LIMITS = { maxPixels: 50_000_000, timeoutMs: 10_000, idleMs: 60_000 };

/** What data is opened with. */
export interface DataRequest {
  readonly model: string;
  readonly data: string;
  readonly labels?: string | undefined;
  readonly task?: TaskConfig | undefined;
}

/** Data for a model, and how to let go of it. */
export interface OpenedData {
  readonly dataset: Dataset;
  /** Whether reading a sample means decoding an image. */
  readonly isDecoded: boolean;
  /** The output with one score per class; undefined for a model that is no classifier. */
  readonly scoresOutput: string | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens data for a model; images are decoded by a child, as the model's task says. Throws what `openDataset` throws,
 * and TASK_MISFIT.
 */
export async function openData(
  request: DataRequest,
  signature: ModelSignature,
  scratchDir: string,
): Promise<OpenedData> {
  const { task: config } = request;
  const media = new MediaWorker(MEDIA_LIMITS);
  const { signal } = new AbortController();
  try {
    const task =
      config === undefined
        ? undefined
        : await createTask(config, signature, { model: basename(request.model), media });
    const scores = scoresOutput(signature, config);
    const dataset = await openDataset(request.data, {
      signature,
      scratchDir,
      labels: request.labels,
      classNames: task?.labels,
      classCount: scores?.classes,
      // The task's offset leads from the output to the label; this one leads back.
      labelOffset: config === undefined ? 0 : -config.labelOffset,
      decode: task && ((body, mediaType) => task.prepare({ mediaType, body }, { signal })),
    });
    return {
      dataset,
      isDecoded: task !== undefined,
      scoresOutput: scores?.name,
      close: async () => {
        await dataset.close();
        await media.close();
      },
    };
  } catch (error) {
    await media.close();
    throw error;
  }
}

/**
 * The output with one score per class and the number of classes: the one that the task names; else the only output,
 * where it is one row of floats that is not as long as an input, as that of an autoencoder is.
 */
function scoresOutput(
  signature: ModelSignature,
  task: TaskConfig | undefined,
): { readonly name: string; readonly classes: number | undefined } | undefined {
  const { inputs, outputs } = signature;
  const named = outputs.find(({ name }) => name === task?.output);
  const only = outputs.length === 1 ? outputs[0] : undefined;
  const output = named ?? only;
  const classes = output?.shape.at(-1);
  if (output === undefined || classes === undefined || output.shape.length > 2) return undefined;
  const isRow = output.shape.length === 1 || (output.shape[0] ?? -1) <= 1;
  const mirrors = inputs.some(
    ({ shape }) => shape.length === output.shape.length && shape.at(-1) === classes,
  );
  if (task === undefined && (!isRow || mirrors || classes === 1 || output.datatype !== 'FP32'))
    return undefined;
  return { name: output.name, classes: classes > 0 ? classes : undefined };
}
