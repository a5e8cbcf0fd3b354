import type { CalibrationMethod, Calibrator } from '../../compress/calibration/calibrator.ts';
import type { Range } from '../../compress/calibration/range.ts';
import { isLinearOperator } from '../../compress/linear-node.ts';
import type { SkippedNode } from '../../compress/pass.ts';
import { int8Static } from '../../compress/passes/int8-static/int8-static.ts';
import { runPasses } from '../../compress/pipeline.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { encodeModel } from '../../graph/write-model.ts';
import { floatValues } from './float-values.ts';
import { type ObservationContext, observeExtremes, observeValues } from './observe-model.ts';
import type { CalibrationName, Recipe } from './recipe.ts';

/** The share of values that the percentile calibrator keeps, in percent. */
const PERCENTILE = 99.99;

/** Counting values costs far more than finding extremes, and each sample holds many values. */
const HISTOGRAM_SAMPLES = 24;

const CALIBRATION_METHODS: Readonly<Record<CalibrationName, CalibrationMethod>> = {
  minmax: { type: 'minmax' },
  percentile: { type: 'percentile', percentile: PERCENTILE },
  mse: { type: 'mse' },
  entropy: { type: 'entropy' },
};

/** A variant's file in memory. */
export interface MadeVariant {
  readonly bytes: Uint8Array;
  /** Nodes that the recipe changed; a recipe that changed none has made nothing new. */
  readonly handled: number;
  readonly skipped: readonly SkippedNode[];
}

type Ranges = ReadonlyArray<readonly [name: string, range: Range]>;

/** Makes variants of one simplified model; what it learns from the calibration samples it keeps for the next variant. */
export class VariantMaker {
  readonly #model: ModelProto;
  readonly #path: string;
  readonly #context: ObservationContext;
  /** What the samples and the model are, for the keys of finished steps. */
  readonly #key: unknown;
  #counted: Calibrator | undefined;

  constructor(model: ModelProto, path: string, context: ObservationContext, key: unknown) {
    this.#model = model;
    this.#path = path;
    this.#context = context;
    this.#key = key;
  }

  /** Carries out a recipe; throws MODEL_UNSUPPORTED where the model lacks what it needs. */
  async make(recipe: Recipe): Promise<MadeVariant> {
    const passes = [await this.#passOf(recipe)];
    const { model, reports } = runPasses(this.#model, passes, { path: this.#path });
    return {
      bytes: encodeModel(model, this.#path),
      handled: reports.reduce((sum, { handled }) => sum + handled.length, 0),
      skipped: reports.flatMap(({ skipped }) => skipped),
    };
  }

  /** Names of the nodes with weights that a recipe changes, in the order of the graph. */
  async layers(recipe: Recipe): Promise<string[]> {
    const pass = await this.#passOf(recipe);
    const { reports } = runPasses(this.#model, [pass], { path: this.#path });
    const handled = new Set(reports.flatMap((report) => report.handled));
    const nodes = this.#model.graph?.node ?? [];
    return nodes.filter((node) => handled.has(node.name) && isLinearOperator(node)).map(({ name }) => name);
  }

  async #passOf(recipe: Recipe) {
    const ranges = new Map(await this.#ranges(recipe.calibration ?? 'minmax'));
    return int8Static({
      ranges,
      keep: new Set(recipe.keepFloat),
      clipping: recipe.weightClipping ?? 'none',
    });
  }

  /** Counts of all FP32 values, which serve every calibrator but min/max; made once. */
  async #histograms(sizes: ReadonlyMap<string, number>): Promise<Calibrator> {
    const { samples } = this.#context;
    const some = { ...this.#context, samples: () => first(samples(), HISTOGRAM_SAMPLES) };
    this.#counted ??= await observeValues(some, this.#model, sizes);
    return this.#counted;
  }

  /** Ranges of all FP32 values by a calibrator. */
  async #ranges(calibration: CalibrationName): Promise<Ranges> {
    const { work, memory } = this.#context;
    return work.value('ranges', [this.#key, calibration], async () => {
      const method = CALIBRATION_METHODS[calibration];
      const names = await floatValues(this.#model, work, memory);
      const { calibrator, sizes } = await observeExtremes(this.#context, this.#model, names);
      const values =
        calibration === 'minmax' ? calibrator : await this.#histograms(sizes);
      return names.map((name) => [name, values.range(name, method)] as const);
    });
  }
}

async function* first<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    taken += 1;
    if (taken >= count) return;
  }
}
