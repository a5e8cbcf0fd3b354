import { numbersOf } from '../../tensor/numbers.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { meanSnrDb, type Noise, NoiseMeter } from './noise-meter.ts';
import { type PairedDrop, pairedDrop } from './paired-drop.ts';
import { type Proportion, proportion } from './proportion.ts';
import { isInTop, topClass } from './top-class.ts';

/** How a variant's outputs compare with the float model's on the same samples. */
export interface ComparisonScores {
  readonly samples: number;
  /** Every output that holds numbers. */
  readonly outputs: ReadonlyArray<Noise & { readonly name: string }>;
  /** Over all outputs, each weighing the same; undefined where all are nearly zero. */
  readonly snrDb: number | undefined;
  /** Values of the variant that are NaN or infinite where the float model's are not. */
  readonly nonFinite: number;
  /** Part of the samples on which both have the same best class; undefined for a model that is no classifier. */
  readonly agreement: Proportion | undefined;
  /** The task's metric; undefined without labels. */
  readonly accuracy: AccuracyScores | undefined;
}

/** Accuracies over the samples that have a label. */
export interface AccuracyScores {
  readonly float: Proportion;
  readonly variant: Proportion;
  readonly floatTopK: Proportion;
  readonly variantTopK: Proportion;
  readonly drop: PairedDrop;
  /** Number of classes: chance is right once in this many. */
  readonly classes: number;
}

/** What to compare. */
export interface ComparisonOptions {
  /** The output with one score per class, of a classifier; without it there is no agreement and no accuracy. */
  readonly scoresOutput?: string | undefined;
  /** The k of the top-k accuracies; by default 5. */
  readonly topK?: number | undefined;
}

/** Counts of right answers, over the samples with a label. */
interface Tally {
  labelled: number;
  float: number;
  variant: number;
  floatTopK: number;
  variantTopK: number;
  rightToWrong: number;
  wrongToRight: number;
  classes: number;
}

/** Compares a variant with the float model sample by sample, in constant memory. */
export class Comparison {
  private readonly meters = new Map<string, NoiseMeter>();
  private readonly scoresOutput: string | undefined;
  private readonly topK: number;
  private samples = 0;
  private agreeing = 0;
  private readonly tally: Tally = {
    labelled: 0,
    float: 0,
    variant: 0,
    floatTopK: 0,
    variantTopK: 0,
    rightToWrong: 0,
    wrongToRight: 0,
    classes: 0,
  };

  constructor({ scoresOutput, topK = 5 }: ComparisonOptions = {}) {
    this.scoresOutput = scoresOutput;
    this.topK = topK;
  }

  /** Adds both models' outputs for one sample, and its label where it has one. */
  observe(float: readonly Tensor[], variant: readonly Tensor[], label?: number): void {
    this.samples += 1;
    for (const output of float) {
      const reference = numbersOf(output);
      if (reference === undefined) continue;
      const counterpart = variant.find(({ name }) => name === output.name);
      const values = (counterpart && numbersOf(counterpart)) ?? [];
      this.meter(output.name).observe(reference, values);
      if (output.name === this.scoresOutput) this.observeClasses(reference, values, label);
    }
  }

  /** The scores so far. */
  result(): ComparisonScores {
    const outputs = [...this.meters].map(([name, meter]) => ({ name, ...meter.result() }));
    const isClassifier = this.scoresOutput !== undefined;
    return {
      samples: this.samples,
      outputs,
      snrDb: meanSnrDb(outputs.flatMap(({ snrDb }) => snrDb ?? [])),
      nonFinite: outputs.reduce((sum, { nonFinite }) => sum + nonFinite, 0),
      agreement: isClassifier ? proportion(this.agreeing, this.samples) : undefined,
      accuracy: this.accuracy(),
    };
  }

  private meter(name: string): NoiseMeter {
    const meter = this.meters.get(name) ?? new NoiseMeter();
    this.meters.set(name, meter);
    return meter;
  }

  private observeClasses(
    float: ArrayLike<number>,
    variant: ArrayLike<number>,
    label: number | undefined,
  ): void {
    const floatTop = topClass(float);
    const variantTop = topClass(variant);
    if (floatTop >= 0 && floatTop === variantTop) this.agreeing += 1;
    if (label === undefined) return;
    const { tally, topK } = this;
    tally.labelled += 1;
    tally.classes = float.length;
    tally.float += Number(floatTop === label);
    tally.variant += Number(variantTop === label);
    tally.floatTopK += Number(isInTop(float, label, topK));
    tally.variantTopK += Number(isInTop(variant, label, topK));
    tally.rightToWrong += Number(floatTop === label && variantTop !== label);
    tally.wrongToRight += Number(floatTop !== label && variantTop === label);
  }

  private accuracy(): AccuracyScores | undefined {
    const { labelled, float, variant, floatTopK, variantTopK, rightToWrong, wrongToRight, classes } =
      this.tally;
    if (labelled === 0) return undefined;
    return {
      float: proportion(float, labelled),
      variant: proportion(variant, labelled),
      floatTopK: proportion(floatTopK, labelled),
      variantTopK: proportion(variantTopK, labelled),
      drop: pairedDrop(rightToWrong, wrongToRight, labelled),
      classes,
    };
  }
}
