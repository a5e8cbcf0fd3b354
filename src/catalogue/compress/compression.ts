import type { DataSplit } from '../../compress/data/split-dataset.ts';
import type { FloatReference } from './float-reference.ts';
import type { CompressRequest } from './job-messages.ts';
import type { MemoryPeak } from './memory-peak.ts';
import type { SourceModel } from './read-source.ts';
import type { SampleSource } from './sample-source.ts';
import type { VariantMaker } from './variant-maker.ts';
import type { WorkFolder } from './work-folder.ts';

/** How a step says how far it is: 0..1 and what it does. */
export type Report = (fraction: number, message: string) => void;

/** What all steps of a job work with. */
export interface Compression {
  readonly request: CompressRequest;
  readonly source: SourceModel;
  readonly work: WorkFolder;
  readonly memory: MemoryPeak;
  readonly samples: SampleSource;
  readonly split: DataSplit;
  readonly reference: FloatReference;
  readonly maker: VariantMaker;
  /** Name of the first convolution, which gains least from 8 bits and often loses most. */
  readonly firstConvolution: string | undefined;
  /** What every result depends on besides the recipe: model, runtime, data, split. */
  readonly key: unknown;
}
