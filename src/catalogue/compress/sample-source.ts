import { statfsSync } from 'node:fs';
import type { Dataset } from '../../compress/data/dataset.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { TensorStore } from './tensor-store.ts';
import type { WorkFolder } from './work-folder.ts';

/** Decoded samples are kept on disk up to this size, and up to this part of the room that is left. */
const STORE_BYTES = 1024 * 1024 * 1024;
const STORE_PART = 0.25;

/**
 * The samples of a data set, as often as they are wanted. Those that cost much to read (images to be decoded) are kept
 * on disk after the first time.
 */
export class SampleSource {
  readonly dataset: Dataset;
  readonly #store: TensorStore | undefined;
  readonly #roomBytes: number;

  constructor(dataset: Dataset, isCostly: boolean, work: WorkFolder) {
    this.dataset = dataset;
    const { bavail, bsize } = statfsSync(work.path);
    this.#roomBytes = Math.min(STORE_BYTES, bavail * bsize * STORE_PART);
    this.#store = isCostly ? new TensorStore(work.temporary('samples')) : undefined;
  }

  /** Class of a sample in the model's output order; undefined where the data has no labels. */
  label(index: number): number | undefined {
    return this.dataset.labels?.[index];
  }

  /** The inputs of one sample. */
  async inputs(index: number): Promise<readonly Tensor[]> {
    const stored = this.#store?.get(index);
    if (stored !== undefined) return stored;
    const { inputs } = await this.dataset.sample(index);
    const sizeBytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    if (this.#store !== undefined && this.#store.sizeBytes + sizeBytes <= this.#roomBytes) {
      this.#store.put(index, inputs);
    }
    return inputs;
  }

  /** The inputs of samples, in the order of `indices`; calls `onSample` before each. */
  async *all(
    indices: readonly number[],
    onSample?: (count: number) => void,
  ): AsyncGenerator<readonly Tensor[]> {
    for (const [count, index] of indices.entries()) {
      onSample?.(count);
      yield await this.inputs(index);
    }
  }

  /** Lets go of what was kept; the data set stays open. */
  close(): void {
    this.#store?.close();
  }
}
