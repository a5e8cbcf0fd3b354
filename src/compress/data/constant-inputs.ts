import type { Sample } from './dataset.ts';

/** What can be read sample by sample: a data set or a part of one. */
export interface SampleSource {
  readonly size: number;
  sample(index: number): Promise<Sample>;
}

/**
 * Names of the inputs that are the same in every sample: calibration learns nothing from those. Stops reading when all
 * have been seen to differ; a single sample has no constant inputs.
 */
export async function constantInputs(source: SampleSource): Promise<string[]> {
  if (source.size < 2) return [];
  const first = await source.sample(0);
  let constant = first.inputs;
  for (let index = 1; index < source.size && constant.length > 0; index++) {
    const { inputs } = await source.sample(index);
    constant = constant.filter((one) => {
      const other = inputs.find(({ name }) => name === one.name);
      return other !== undefined && Buffer.compare(one.data, other.data) === 0;
    });
  }
  return constant.map(({ name }) => name);
}
