/** Ways to make a form of a model, in the order they are tried. */
export const METHODS = ['int8-static', 'int8-dynamic', 'weights-int8', 'weights-int4', 'fp16'] as const;

/** One way to make a form of a model. */
export type Method = (typeof METHODS)[number];

/** How ranges are chosen from the values that were seen. */
export type CalibrationName = 'minmax' | 'percentile' | 'mse' | 'entropy';

/** How a variant is made: with the model, the data and the seed it decides every byte of the file. */
export interface Recipe {
  readonly method: Method;
  /** int8-static: how the ranges of activations are chosen. */
  readonly calibration?: CalibrationName;
  /** int8-static: shift the biases by what rounding the weights does to the mean of each output. */
  readonly biasCorrection?: boolean;
  /** int8-static: cut off large weights where that makes the mean squared error of their channel smaller. */
  readonly weightClipping?: 'mse';
  /** weights-int4: rows that share a scale. */
  readonly blockSize?: number;
  /** int8-static: names of nodes that stay in float. */
  readonly keepFloat?: readonly string[];
}

/** Small enough that one outlier spoils little, large enough that scales take an eighth of the weights' room. */
const BLOCK_SIZE = 32;

/** The one recipe of each method that is made without a search. */
export function standardRecipe(method: Method, firstConvolution: string | undefined): Recipe {
  if (method === 'weights-int4') return { method, blockSize: BLOCK_SIZE };
  if (method !== 'int8-static') return { method };
  return {
    method,
    calibration: 'minmax',
    biasCorrection: true,
    ...(firstConvolution === undefined ? {} : { keepFloat: [firstConvolution] }),
  };
}

/** A short name for a recipe, fit for a file: the method, and what differs from its plain form. */
export function recipeId(recipe: Recipe, firstConvolution: string | undefined): string {
  const parts: string[] = [recipe.method];
  if (recipe.calibration !== undefined && recipe.calibration !== 'minmax') parts.push(recipe.calibration);
  if (recipe.biasCorrection === true) parts.push('corrected');
  if (recipe.weightClipping !== undefined) parts.push('clipped');
  if (recipe.blockSize !== undefined && recipe.blockSize !== BLOCK_SIZE)
    parts.push(`block-${recipe.blockSize}`);
  const kept = recipe.keepFloat ?? [];
  if (kept.length === 1 && kept[0] === firstConvolution) parts.push('float-first');
  else if (kept.length > 0) parts.push(`float-${kept.length}`);
  return parts.join('-');
}
