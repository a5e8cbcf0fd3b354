import { Comparison, type ComparisonScores } from '../../compress/score/comparison.ts';
import { SelvageError } from '../../lib/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { MemoryPeak } from './memory-peak.ts';
import type { SampleSource } from './sample-source.ts';
import { Session } from './session.ts';
import { TensorStore } from './tensor-store.ts';
import type { WorkFolder } from './work-folder.ts';

/** What the float model is run with. */
export interface ReferenceOptions {
  readonly path: string;
  readonly samples: SampleSource;
  readonly work: WorkFolder;
  readonly memory: MemoryPeak;
  /** The output with one score per class, of a classifier. */
  readonly scoresOutput: string | undefined;
}

/** The float model's outputs, which every variant is compared with; each sample is run once. */
export class FloatReference {
  readonly #options: ReferenceOptions;
  readonly #outputs: TensorStore;

  constructor(options: ReferenceOptions) {
    this.#options = options;
    this.#outputs = new TensorStore(options.work.temporary('outputs'));
  }

  /** Runs the float model on those of the samples that it has not been run on; `onSample` is called before each. */
  async prepare(indices: readonly number[], onSample?: (count: number) => void): Promise<void> {
    const missing = indices.filter((index) => !this.#outputs.has(index));
    if (missing.length === 0) return;
    const { path, samples, memory } = this.#options;
    const session = await Session.open(path, memory);
    try {
      let place = 0;
      for await (const { outputs } of session.run(samples.all(missing, onSample))) {
        this.#outputs.put(missing[place] ?? 0, outputs);
        place += 1;
      }
    } finally {
      session.close();
    }
  }

  /** Compares a variant with the float model on these samples, which must be prepared; `onSample` is called before each. */
  async compare(
    path: string,
    indices: readonly number[],
    onSample?: (count: number) => void,
  ): Promise<ComparisonScores> {
    const { samples, memory, scoresOutput } = this.#options;
    const comparison = new Comparison({ scoresOutput });
    const session = await Session.open(path, memory);
    try {
      let place = 0;
      for await (const { outputs } of session.run(samples.all(indices, onSample))) {
        const index = indices[place] ?? 0;
        comparison.observe(this.#output(index), outputs, samples.label(index));
        place += 1;
      }
    } finally {
      session.close();
    }
    return comparison.result();
  }

  close(): void {
    this.#outputs.close();
  }

  #output(index: number): readonly Tensor[] {
    const outputs = this.#outputs.get(index);
    if (outputs === undefined) throw SelvageError.of('INTERNAL', { reason: `sample ${index} was not run` });
    return outputs;
  }
}
