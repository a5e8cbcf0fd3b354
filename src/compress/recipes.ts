import type { Pass } from './pass.ts';
import { biasCorrection } from './passes/bias-correction.ts';
import { cleanInputs } from './passes/clean-inputs.ts';
import { type Fp16Options, fp16 } from './passes/fp16.ts';
import { type Int8DynamicOptions, int8Dynamic } from './passes/int8-dynamic.ts';
import { int8Embeddings } from './passes/int8-embeddings.ts';
import { int8Static } from './passes/int8-static/int8-static.ts';
import type { Int8StaticOptions } from './passes/int8-static/options.ts';
import { raiseOpset } from './passes/raise-opset.ts';
import { type WeightsInt4Options, weightsInt4 } from './passes/weights-int4.ts';
import { type WeightsInt8Options, weightsInt8 } from './passes/weights-int8.ts';

/** A way to compress a model, with its options. */
export type Recipe =
  | { readonly method: 'simplify' }
  | (Int8StaticOptions & {
      readonly method: 'int8-static';
      /** Means by input channel; without them biases are not corrected. */
      readonly means?: ReadonlyMap<string, Float32Array>;
    })
  | (Int8DynamicOptions & Embeddings & { readonly method: 'int8-dynamic' })
  | (WeightsInt8Options & { readonly method: 'weights-int8' })
  | (WeightsInt4Options & Embeddings & { readonly method: 'weights-int4' })
  | (Fp16Options & { readonly method: 'fp16' });

interface Embeddings {
  /** Whether embedding tables become 8-bit integers too. */
  readonly embeddings?: boolean;
}

/**
 * The passes of a recipe, in order. Every recipe cleans first, so it takes any checked model without external data; what
 * `simplify` makes may then go through the runtime (level basic, which folds constants and batch normalization) and is to
 * be cleaned by it again, as the runtime adds operator sets. Options other than ranges and means can be left out.
 */
export function recipePasses(recipe: Recipe): readonly Pass[] {
  switch (recipe.method) {
    case 'simplify':
      return [cleanInputs()];
    case 'int8-static': {
      const { means } = recipe;
      const correction = means === undefined ? [] : [biasCorrection({ ...recipe, means })];
      return [cleanInputs(), raiseOpset(), ...correction, int8Static(recipe)];
    }
    case 'int8-dynamic':
      return [cleanInputs(), int8Dynamic(recipe), ...embeddings(recipe)];
    case 'weights-int8':
      return [cleanInputs(), weightsInt8(recipe)];
    case 'weights-int4':
      return [cleanInputs(), weightsInt4(recipe), ...embeddings(recipe)];
    case 'fp16':
      return [cleanInputs(), fp16(recipe)];
  }
}

function embeddings(options: Embeddings & { readonly keep?: ReadonlySet<string> }): Pass[] {
  const { keep } = options;
  return options.embeddings === true ? [int8Embeddings(keep === undefined ? {} : { keep })] : [];
}
