import { arrayDataset, sampleCount } from './array-dataset.ts';
import { openDataFile } from './data-file.ts';
import { type Dataset, dataMismatch, namesOf } from './dataset.ts';
import { readLabelsFile } from './labels-file.ts';
import { openNpyArray } from './npy-array.ts';
import type { OpenOptions } from './open-options.ts';

/**
 * A `.npy` file as the samples of a model with one input. Throws DATA_INVALID, DATA_MISMATCH, LABELS_INVALID or
 * FILE_UNREADABLE.
 */
export async function openNpy(path: string, options: OpenOptions): Promise<Dataset> {
  const [input, second] = options.signature.inputs;
  if (input === undefined || second !== undefined) {
    const names = namesOf(options.signature.inputs);
    throw dataMismatch(
      path,
      `one array for the inputs ${names}: give a .npz file with an array of each name`,
    );
  }
  const file = await openDataFile(path);
  try {
    const arrays = [{ name: input.name, array: await openNpyArray(path, file) }];
    const size = sampleCount(path, arrays);
    const labels =
      options.labels === undefined ? undefined : await readLabelsFile(options.labels, { ...options, size });
    const close = () => file.handle.close();
    return arrayDataset({ path, file, arrays, labels, warnings: [], close }, options);
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}
