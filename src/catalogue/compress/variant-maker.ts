import type { CalibrationMethod, Calibrator } from '../../compress/calibration/calibrator.ts';
import type { Range } from '../../compress/calibration/range.ts';
import { isLinearOperator, linearNode } from '../../compress/linear-node.ts';
import type { Pass, SkippedNode } from '../../compress/pass.ts';
import { biasCorrection } from '../../compress/passes/bias-correction.ts';
import { fp16 } from '../../compress/passes/fp16.ts';
import { int8Dynamic } from '../../compress/passes/int8-dynamic.ts';
import { int8Embeddings } from '../../compress/passes/int8-embeddings.ts';
import { int8Static } from '../../compress/passes/int8-static/int8-static.ts';
import { raiseOpset } from '../../compress/passes/raise-opset.ts';
import { weightsInt4 } from '../../compress/passes/weights-int4.ts';
import { weightsInt8 } from '../../compress/passes/weights-int8.ts';
import { runPasses } from '../../compress/pipeline.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { Graph } from '../../graph/graph.ts';
import { encodeModel } from '../../graph/write-model.ts';
import { floatValues } from './float-values.ts';
import type { ChannelsOf } from './observation-model.ts';
import { type ObservationContext, type Overview, observeOverview, observeValues } from './observe-model.ts';
import type { CalibrationName, Recipe } from './recipe.ts';

/** Passes that make nothing smaller or faster by themselves. */
const PREPARING: ReadonlySet<string> = new Set([raiseOpset().name, 'bias-correction']);

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
  #seen: Promise<Overview> | undefined;
  #counted: Promise<Calibrator> | undefined;

  constructor(model: ModelProto, path: string, context: ObservationContext, key: unknown) {
    this.#model = model;
    this.#path = path;
    this.#context = context;
    this.#key = key;
  }

  /** Carries out a recipe; throws MODEL_UNSUPPORTED where the model lacks what it needs. */
  async make(recipe: Recipe): Promise<MadeVariant> {
    const passes = await this.#passesOf(recipe);
    const { model, reports } = runPasses(this.#model, passes, { path: this.#path });
    const own = reports.filter(({ pass }) => !PREPARING.has(pass));
    return {
      bytes: encodeModel(model, this.#path),
      handled: own.reduce((sum, { handled }) => sum + handled.length, 0),
      skipped: own.flatMap(({ skipped }) => skipped),
    };
  }

  /** Names of the nodes with weights that a recipe changes, in the order of the graph. */
  async layers(recipe: Recipe): Promise<string[]> {
    const { reports } = runPasses(this.#model, await this.#passesOf(recipe), { path: this.#path });
    const own = reports.filter(({ pass }) => !PREPARING.has(pass));
    const handled = new Set(own.flatMap((report) => report.handled));
    const nodes = this.#model.graph?.node ?? [];
    return nodes.filter((node) => handled.has(node.name) && isLinearOperator(node)).map(({ name }) => name);
  }

  async #passesOf(recipe: Recipe): Promise<Pass[]> {
    switch (recipe.method) {
      case 'int8-static':
        return this.#int8StaticPasses(recipe);
      case 'int8-dynamic':
        return [raiseOpset(), int8Dynamic(), int8Embeddings()];
      case 'weights-int8':
        return [weightsInt8()];
      case 'weights-int4':
        return [weightsInt4({ blockSize: recipe.blockSize ?? 32 }), int8Embeddings()];
      case 'fp16':
        return [fp16()];
    }
  }

  async #int8StaticPasses(recipe: Recipe): Promise<Pass[]> {
    const ranges = new Map(await this.#ranges(recipe.calibration ?? 'minmax'));
    const keep = new Set(recipe.keepFloat);
    const clipping = recipe.weightClipping ?? 'none';
    const means = new Map(
      (await this.#overview()).means.map(([name, values]) => [name, Float32Array.from(values)]),
    );
    const correction = recipe.biasCorrection === true ? [biasCorrection({ means, keep, clipping })] : [];
    return [raiseOpset(), ...correction, int8Static({ ranges, keep, clipping })];
  }

  /** Ranges of all FP32 values by a calibrator. */
  async #ranges(calibration: CalibrationName): Promise<Ranges> {
    const { tensors } = await this.#overview();
    if (calibration === 'minmax') return tensors.map(({ name, range }) => [name, range]);
    return this.#context.work.value('ranges', [this.#key, calibration], async () => {
      const values = await this.#histograms(new Map(tensors.map(({ name, size }) => [name, size])));
      const method = CALIBRATION_METHODS[calibration];
      return tensors.map(({ name }) => [name, values.range(name, method)] as const);
    });
  }

  #overview(): Promise<Overview> {
    const { work, memory } = this.#context;
    this.#seen ??= work.value('overview', this.#key, async () => {
      const names = await floatValues(this.#model, work, memory);
      return observeOverview(this.#context, this.#model, names, linearInputs(this.#model));
    });
    return this.#seen;
  }

  /** Counts of all FP32 values, which serve every calibrator but min/max; made once. */
  #histograms(sizes: ReadonlyMap<string, number>): Promise<Calibrator> {
    const { samples } = this.#context;
    const some = { ...this.#context, samples: () => first(samples(), HISTOGRAM_SAMPLES) };
    this.#counted ??= observeValues(some, this.#model, sizes);
    return this.#counted;
  }
}

/** The activations that are multiplied with weights, each once, with where their channels lie. */
function linearInputs(model: ModelProto): ChannelsOf[] {
  const graph = new Graph(model);
  const found = new Map<string, ChannelsOf>();
  for (const node of graph.sorted()) {
    const linear = isLinearOperator(node) ? linearNode(graph, node) : undefined;
    if (linear === undefined || 'reason' in linear || found.has(linear.input)) continue;
    const { input: name, operator, dims, axis, channels: outputs, values } = linear;
    if (operator === 'Conv') found.set(name, { name, axis: 1, rank: dims.length, channels: 0 });
    else
      found.set(name, {
        name,
        axis: -1,
        rank: 0,
        channels: axis === 0 ? (dims[1] ?? 0) : values.length / outputs,
      });
  }
  return [...found.values()];
}

async function* first<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    taken += 1;
    if (taken >= count) return;
  }
}
