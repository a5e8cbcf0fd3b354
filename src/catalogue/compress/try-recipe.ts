import { rm } from 'node:fs/promises';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { SelvageError } from '../../lib/errors.ts';
import type { Compression } from './compression.ts';
import type { MeasuredSpeed } from './measure-speed.ts';
import type { Trial } from './pareto-front.ts';
import type { Recipe } from './recipe.ts';
import { compareSpeed } from './variant-judge.ts';

/** Validation samples that a glance takes. */
const GLANCE_SAMPLES = 32;

/** Why a variant could not be made or does not run; expected for some models, so it is no error. */
export interface Fault {
  readonly fault: string;
}

/** Makes a recipe, scores it on the validation samples and times it; undefined where it cannot be made or run. */
export async function tryRecipe(
  compression: Compression,
  recipe: Recipe,
): Promise<Trial<Recipe> | undefined> {
  const { work, key, split, reference, samples, source, memory } = compression;
  const { indices } = split.validation;
  await reference.prepare(indices);
  const found = await work.value('trial', [key, recipe], () =>
    withVariant(compression, recipe, async (file, sizeBytes) => {
      const scores = await reference.compare(file, indices);
      // Which numbers a variant holds does not change its speed; which nodes stay in float does.
      const shape = [key, recipe.method, recipe.keepFloat];
      const speed: MeasuredSpeed | undefined = await work.value('speed', shape, async () =>
        compareSpeed(source.path, file, await samples.inputs(indices[0] ?? 0), memory),
      );
      return {
        agreement: scores.nonFinite > 0 ? 0 : scores.agreement?.value,
        snrDb: scores.snrDb ?? 0,
        speed: speed?.median ?? 0,
        sizeBytes,
      };
    }),
  );
  return 'fault' in found ? undefined : { subject: recipe, ...found };
}

/** The ratio of signal to noise of a recipe on a few validation samples, in dB; undefined where it cannot be made. */
export async function glanceAtRecipe(compression: Compression, recipe: Recipe): Promise<number | undefined> {
  const { work, key, split, reference } = compression;
  const indices = split.validation.indices.slice(0, GLANCE_SAMPLES);
  await reference.prepare(indices);
  const found = await work.value('glance', [key, recipe], () =>
    withVariant(compression, recipe, async (file) => {
      const { snrDb } = await reference.compare(file, indices);
      return { snrDb: snrDb ?? 0 };
    }),
  );
  return 'fault' in found ? undefined : found.snrDb;
}

/** Makes a variant in a temporary file and uses it; what is wrong with the variant itself is a `Fault`. */
async function withVariant<Result>(
  { maker, work }: Compression,
  recipe: Recipe,
  use: (file: string, sizeBytes: number) => Promise<Result>,
): Promise<Result | Fault> {
  const file = work.temporary('trial.onnx');
  try {
    const { bytes, handled } = await maker.make(recipe);
    if (handled === 0) return { fault: 'it changes nothing' };
    await writeFileAtomic(file, [bytes]);
    return await use(file, bytes.length);
  } catch (error) {
    return faultOf(error);
  } finally {
    await rm(file, { force: true });
  }
}

/** What a failure says of a variant; rethrows failures that are none of its own. */
export function faultOf(error: unknown): Fault {
  if (error instanceof SelvageError && ['MODEL_UNSUPPORTED', 'INFERENCE_FAILED'].includes(error.code)) {
    return { fault: error.message };
  }
  throw error;
}
