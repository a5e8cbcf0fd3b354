import { SelvageError } from '../../lib/errors.ts';
import { seededRandom, shuffle } from '../../lib/random.ts';
import type { Dataset, Sample } from './dataset.ts';

/** What a part of the data may be used for. */
export type PartRole = 'calibration' | 'validation' | 'test';

/**
 * Samples for one use only. The role is part of the type, so what takes a `DataPart<'calibration'>` cannot be handed
 * the samples that variants are judged by.
 */
export interface DataPart<Role extends PartRole> {
  readonly role: Role;
  readonly size: number;
  /** The samples' indices in the data set, in the order in which they are read. */
  readonly indices: readonly number[];
  /** Reads one sample (0 ≤ index < size), with its label where the data has labels. */
  sample(index: number): Promise<Sample & { readonly label: number | undefined }>;
}

/** How many samples each part should have; where the data has fewer in all, each gets its share. */
export interface SplitSizes {
  readonly calibration: number;
  readonly validation: number;
  readonly test: number;
}

/** Disjoint parts of a data set. */
export interface DataSplit {
  readonly calibration: DataPart<'calibration'>;
  readonly validation: DataPart<'validation'>;
  readonly test: DataPart<'test'>;
  /** What the numbers of samples are too small for, a sentence each. */
  readonly warnings: readonly string[];
}

/** With fewer, ranges depend much on which samples they were; int8 calibration is usually done with 100 and more. */
const FEW_FOR_CALIBRATION = 32;
/** With fewer, one sample is more than a percentage point. */
const FEW_TO_JUDGE = 100;

/**
 * Splits a data set into disjoint parts, the same for the same seed and data. With labels every part gets each class in
 * about the same share. Throws DATA_EMPTY where there is not a sample for each part that wants any.
 */
export function splitDataset(dataset: Dataset, sizes: SplitSizes & { readonly seed: number }): DataSplit {
  const wanted = [sizes.calibration, sizes.validation, sizes.test];
  const counts = shares(wanted, dataset.size);
  if (counts === undefined) {
    const parts = wanted.filter((count) => count > 0).length;
    const problem = `${dataset.size} samples are too few for ${parts} parts (calibration, validation, test)`;
    throw SelvageError.of('DATA_EMPTY', { path: dataset.describe, problem });
  }
  const order = randomOrder(dataset, seededRandom(sizes.seed));
  const [calibration = 0, validation = 0, test = 0] = counts;
  return {
    calibration: part(dataset, 'calibration', order.slice(0, calibration)),
    validation: part(dataset, 'validation', order.slice(calibration, calibration + validation)),
    test: part(dataset, 'test', order.slice(calibration + validation, calibration + validation + test)),
    warnings: countWarnings(calibration, validation, test),
  };
}

function countWarnings(calibration: number, validation: number, test: number): string[] {
  const warnings: string[] = [];
  if (calibration > 0 && calibration < FEW_FOR_CALIBRATION) {
    warnings.push(`only ${calibration} samples for calibration: they may not show the ranges seen in use`);
  }
  for (const [role, count] of Object.entries({ validation, test })) {
    if (count === 0 || count >= FEW_TO_JUDGE) continue;
    const points = (100 / count).toFixed(1);
    warnings.push(`only ${count} samples for ${role}: each is ${points} points of accuracy`);
  }
  return warnings;
}

function part<Role extends PartRole>(
  dataset: Dataset,
  role: Role,
  indices: readonly number[],
): DataPart<Role> {
  return {
    role,
    size: indices.length,
    indices,
    async sample(index) {
      const at = indices[index];
      if (at === undefined) throw SelvageError.of('INTERNAL', { reason: `no ${role} sample ${index}` });
      return { ...(await dataset.sample(at)), label: dataset.labels?.[at] };
    },
  };
}

/** Counts that fit: as wanted where there is enough, else in proportion, at least 1 for each that wants any. */
function shares(wanted: readonly number[], available: number): number[] | undefined {
  const total = wanted.reduce((sum, count) => sum + count, 0);
  if (total <= available) return [...wanted];
  const counts = wanted.map((count) =>
    count > 0 ? Math.max(1, Math.floor((count * available) / total)) : 0,
  );
  let over = counts.reduce((sum, count) => sum + count, 0) - available;
  // Rounding down left some over, or the parts of one sample at least took too many.
  for (; over < 0; over += 1) {
    const smallest = counts.indexOf(Math.min(...counts.filter((count) => count > 0)));
    counts[smallest] = (counts[smallest] ?? 0) + 1;
  }
  for (; over > 0; over -= 1) {
    const largest = counts.indexOf(Math.max(...counts));
    if ((counts[largest] ?? 0) <= 1) return undefined;
    counts[largest] = (counts[largest] ?? 0) - 1;
  }
  return counts;
}

/**
 * A random order of which every stretch has each class in about its share: the samples of a class, in random order,
 * are placed evenly along the whole with a random start.
 */
function randomOrder({ size, labels }: Dataset, random: () => number): number[] {
  const byClass = new Map<number, number[]>();
  for (let index = 0; index < size; index++) {
    const label = labels?.[index] ?? 0;
    const members = byClass.get(label);
    if (members === undefined) byClass.set(label, [index]);
    else members.push(index);
  }
  const placed: Array<{ index: number; place: number }> = [];
  for (const label of [...byClass.keys()].sort((a, b) => a - b)) {
    const members = byClass.get(label) ?? [];
    shuffle(members, random);
    const start = random();
    members.forEach((index, rank) => {
      placed.push({ index, place: (rank + start) / members.length });
    });
  }
  return placed.sort((a, b) => a.place - b.place || a.index - b.index).map(({ index }) => index);
}
