import { compareNearness, paretoFront, type Trial } from './pareto-front.ts';
import { type CalibrationName, type Method, type Recipe, standardRecipe } from './recipe.ts';

/** Variants kept of one method at most. */
const KEPT = 3;
const OTHER_CALIBRATIONS: readonly CalibrationName[] = ['mse', 'percentile', 'entropy'];
const BLOCK_SIZES = [16, 64, 128];
/** How many of the most sensitive layers are tried in float. */
const KEPT_LAYERS = [1, 2, 4, 8];

/** What a search tries recipes with. */
export interface SearchBench {
  /** Makes a recipe and measures it on the validation samples; undefined where it cannot be carried out. */
  readonly evaluate: (recipe: Recipe) => Promise<Trial<Recipe> | undefined>;
  /** Ratio of signal to noise of a recipe on a few validation samples, in dB. */
  readonly glance: (recipe: Recipe) => Promise<number | undefined>;
  /** Whether there is time for one more. */
  readonly hasTime: () => boolean;
  readonly firstConvolution: string | undefined;
  /** Names of the nodes that a recipe makes work on integers and that have weights. */
  readonly layers: () => Promise<readonly string[]>;
}

/**
 * Tries recipes of a method until the time is over, from the one most likely to be good on, and returns those that
 * none of the others beats in nearness to float and speed. Without time it is the standard recipe alone.
 */
export async function searchRecipes(method: Method, bench: SearchBench): Promise<Recipe[]> {
  const standard = standardRecipe(method, bench.firstConvolution);
  const trials: Trial<Recipe>[] = [];
  const attempt = async (recipe: Recipe): Promise<void> => {
    const isKnown = trials.some(({ subject }) => JSON.stringify(subject) === JSON.stringify(recipe));
    if (isKnown || (trials.length > 0 && !bench.hasTime())) return;
    const trial = await bench.evaluate(recipe);
    if (trial !== undefined) trials.push(trial);
  };
  const best = (): Recipe => nearest(trials)?.subject ?? standard;

  await attempt(standard);
  if (method === 'weights-int4')
    for (const blockSize of BLOCK_SIZES) await attempt({ ...standard, blockSize });
  if (method !== 'int8-static') return kept(trials, standard);
  await attempt(everythingInt8(standard));
  for (const calibration of OTHER_CALIBRATIONS) await attempt({ ...best(), calibration });
  await attempt({ ...best(), weightClipping: 'mse' });
  await attempt(everythingInt8(best()));
  for (const recipe of await mixedPrecision(best(), bench)) await attempt(recipe);
  return kept(trials, standard);
}

/** The best of the trials; the standard recipe where it could not even be tried, so that the reason is reported. */
function kept(trials: readonly Trial<Recipe>[], standard: Recipe): Recipe[] {
  const front = paretoFront(trials).slice(0, KEPT);
  return front.length > 0 ? front.map(({ subject }) => subject) : [standard];
}

function everythingInt8({ keepFloat: _, ...recipe }: Recipe): Recipe {
  return recipe;
}

function nearest(trials: readonly Trial<Recipe>[]): Trial<Recipe> | undefined {
  return trials.reduce<Trial<Recipe> | undefined>(
    (best, trial) => (best === undefined || compareNearness(trial, best) > 0 ? trial : best),
    undefined,
  );
}

/** The recipe with the layers in float that cost it most: what each costs is seen by sparing it alone. */
async function mixedPrecision(recipe: Recipe, bench: SearchBench): Promise<Recipe[]> {
  if (!bench.hasTime()) return [];
  const kept = recipe.keepFloat ?? [];
  const gains: { readonly layer: string; readonly snrDb: number }[] = [];
  for (const layer of await bench.layers()) {
    if (kept.includes(layer)) continue;
    if (!bench.hasTime()) break;
    const snrDb = await bench.glance({ ...recipe, keepFloat: [...kept, layer] });
    if (snrDb !== undefined) gains.push({ layer, snrDb });
  }
  gains.sort((a, b) => b.snrDb - a.snrDb);
  return KEPT_LAYERS.filter((count) => count <= gains.length / 2).map((count) => ({
    ...recipe,
    keepFloat: [...kept, ...gains.slice(0, count).map(({ layer }) => layer)],
  }));
}
