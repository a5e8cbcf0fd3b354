import type { ModelSignature } from '../../tensor/infer.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { LabelScheme } from './class-index.ts';

/** Turns an encoded image into the model's inputs with a batch of 1, as the model's task does. */
export type DecodeImage = (bytes: Uint8Array, mediaType: string) => Promise<readonly Tensor[]>;

/** What a data set is opened for. */
export interface OpenOptions extends LabelScheme {
  /** What the model takes. */
  readonly signature: ModelSignature;
  /** Decodes images; without it folders of images are refused. */
  readonly decode?: DecodeImage | undefined;
  /** A file of labels, instead of those that the data itself has. */
  readonly labels?: string | undefined;
  /** Where compressed archives are unpacked; by default the system's folder for temporary files. */
  readonly scratchDir?: string | undefined;
}
