import type { ActivationType, ValueRange, WeightScaling } from '../../quantize.ts';

/** Options of `int8Static`. */
export interface Int8StaticOptions extends WeightScaling {
  /** Ranges of activations by the name of the value; a node is quantized only where those it needs are here. */
  readonly ranges: ReadonlyMap<string, ValueRange>;
  /** Names of nodes that stay in float (mixed precision). */
  readonly keep?: ReadonlySet<string>;
  /** Type of activations: `u8` (by default), or `s8`, which some Arm cores are faster with. */
  readonly activations?: ActivationType;
}
