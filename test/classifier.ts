import { imageClassificationSchema } from '../src/config/tasks/image-classification.ts';
import { Runner } from '../src/runtime/runner.ts';
import { MediaWorker } from '../src/tasks/media-worker/media-worker.ts';
import type { PredictInput, Prediction } from '../src/tasks/task.ts';
import { createTask } from '../src/tasks/tasks.ts';

/** An image classifier made of the real parts: media worker, task and runner, without a server. */
export interface Classifier {
  classify(input: PredictInput): Promise<Prediction[]>;
  close(): Promise<void>;
}

/** Loads a model file with the settings of its task, as the configuration would give them. */
export async function openClassifier(path: string, settings: Record<string, unknown>): Promise<Classifier> {
  const media = new MediaWorker({ maxPixels: 50_000_000, timeoutMs: 20_000, idleMs: 60_000 });
  const runner = new Runner();
  const config = imageClassificationSchema.parse({ type: 'image-classification', ...settings });
  const { signature } = await runner.load({ path, threads: 1 });
  const task = await createTask(config, signature, { model: 'm', media });

  async function classify(input: PredictInput): Promise<Prediction[]> {
    const tensors = await task.prepare(input, { signal: new AbortController().signal });
    const inputs = tensors.map(({ datatype, shape, data }, index) => ({
      index,
      datatype,
      dims: shape,
      data,
    }));
    const [result] = await runner.run([{ inputs, outputs: [] }]);
    if (!result?.ok) throw new Error(result?.reason ?? 'no result');
    const outputs = result.outputs.map(({ index, datatype, dims, data }) => ({
      name: signature.outputs[index]?.name ?? '',
      datatype,
      shape: dims,
      data,
    }));
    return task.interpret(outputs, {});
  }

  async function close(): Promise<void> {
    runner.kill('done');
    await media.close();
  }

  return { classify, close };
}
