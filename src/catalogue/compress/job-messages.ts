import type { TaskConfig } from '../../config/schema.ts';
import type { Method, Recipe } from './recipe.ts';

/** What a compression is asked for; paths are absolute. */
export interface CompressRequest {
  readonly model: string;
  readonly data: string;
  /** A file of labels, instead of those that the data itself has. */
  readonly labels?: string | undefined;
  /** How the model takes images and what its classes are called; needed for folders of images only. */
  readonly task?: TaskConfig | undefined;
  readonly methods: readonly Method[];
  /** Largest accuracy that a variant may lose, as a fraction: 0.01 is one percentage point. */
  readonly maxAccuracyDrop: number;
  /** Time for the search; 0 makes one variant of each method. */
  readonly budgetSeconds: number;
  readonly seed: number;
  /** Folder for the variants, made where it is missing. */
  readonly out: string;
}

/** How many times as fast a variant is as the float model: the median, and the interval around it (95 %). */
export interface SpeedFigures {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** A variant that was made, or why none could be made. */
export interface VariantReport {
  readonly id: string;
  readonly recipe: Recipe;
  /** Absolute path; null where the recipe could not be carried out. */
  readonly file: string | null;
  readonly status: 'accepted' | 'refused';
  /** Why, in a sentence. */
  readonly reason?: string;
  readonly sizeBytes: number;
  /** Part of the labelled test samples that it gets right. */
  readonly accuracy?: number;
  /** Part of the test samples on which its best class is the float model's. */
  readonly agreement?: number;
  /** Signal-to-noise ratio of its outputs against the float model's; null where those are nearly zero. */
  readonly snrDb: number | null;
  readonly speed: SpeedFigures | null;
}

/** What `selvage compress --json` prints. */
export interface CompressReport {
  /** Absolute path of the model. */
  readonly model: string;
  readonly float: { readonly file: string; readonly sizeBytes: number; readonly accuracy?: number };
  readonly variants: readonly VariantReport[];
  readonly seconds: number;
  readonly peakRssBytes: number;
}

/** What the job answers: the report, and what is odd about the data but no reason to stop, a sentence each. */
export interface CompressResult {
  readonly report: CompressReport;
  readonly warnings: readonly string[];
}
