import { mkdir, readFile, stat } from 'node:fs/promises';
import { type DataSplit, splitDataset } from '../../compress/data/split-dataset.ts';
import type { ComparisonScores } from '../../compress/score/comparison.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { decodeModel } from '../../graph/read-model.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { runtimeVersion } from '../../runtime/runtime-version.ts';
import { checkRoom } from './check-room.ts';
import { FloatReference } from './float-reference.ts';
import type { CompressReport, CompressRequest, VariantReport } from './job-messages.ts';
import { MemoryPeak } from './memory-peak.ts';
import { type OpenedData, openData } from './open-data.ts';
import { partSizes } from './part-sizes.ts';
import { readSource, type SourceModel } from './read-source.ts';
import { type Recipe, recipeId, standardRecipe } from './recipe.ts';
import { SampleSource } from './sample-source.ts';
import { simplifyModel } from './simplify-model.ts';
import { compareSpeed, judge, type VariantFigures } from './variant-judge.ts';
import { VariantMaker } from './variant-maker.ts';
import { WorkFolder } from './work-folder.ts';
import { placeVariant, variantPath, writeManifest } from './write-results.ts';

type Report = (fraction: number, message: string) => void;

/** Parts of the whole that are done at the beginning of each step; the variants share what lies between. */
const DONE = { simplify: 0.02, fingerprint: 0.05, variants: 0.1, write: 0.97 } as const;

/** What all steps of a job work with. */
interface Compression {
  readonly request: CompressRequest;
  readonly source: SourceModel;
  readonly work: WorkFolder;
  readonly memory: MemoryPeak;
  readonly samples: SampleSource;
  readonly split: DataSplit;
  readonly reference: FloatReference;
  readonly maker: VariantMaker;
  readonly firstConvolution: string | undefined;
  /** What the figures depend on besides the recipe. */
  readonly key: unknown;
}

/**
 * Makes the variants of a request, measures and gates them, and writes them with their manifest. Finished steps of a
 * job that was killed are found again. Throws as `runCompress` says.
 */
export async function compressModel(request: CompressRequest, report: Report): Promise<CompressReport> {
  const startedMs = performance.now();
  const memory = new MemoryPeak();
  report(0, 'reading the model');
  const source = await readSource(request.model);
  await makeFolder(request.out);
  await checkRoom(request.out, source.sizeBytes, request.methods.length);
  const work = await WorkFolder.open(request.out);
  try {
    const data = await openData(request, source.signature, work.path);
    const variants = await withData(request, source, data, { work, memory }, report);
    await work.remove();
    const seconds = Math.round(performance.now() - startedMs) / 1000;
    return { model: source.path, ...variants, seconds, peakRssBytes: memory.total() };
  } finally {
    await work.leave();
  }
}

async function withData(
  request: CompressRequest,
  source: SourceModel,
  data: OpenedData,
  { work, memory }: Pick<Compression, 'work' | 'memory'>,
  report: Report,
): Promise<Pick<CompressReport, 'float' | 'variants'>> {
  const samples = new SampleSource(data.dataset, data.isDecoded, work);
  const { scoresOutput } = data;
  const reference = new FloatReference({ path: source.path, samples, work, memory, scoresOutput });
  try {
    report(DONE.simplify, 'simplifying the model');
    const simplified = await simplifiedModel(source, work, memory);
    report(DONE.fingerprint, 'looking at the data');
    const fingerprint = await data.dataset.fingerprint();
    const { seed, task } = request;
    const sizes = partSizes(data.dataset.size, request.budgetSeconds > 0);
    const split = splitDataset(data.dataset, { ...sizes, seed });
    const key = [source.hash, runtimeVersion(), fingerprint, sizes, seed, task];
    const calibration = () => samples.all(split.calibration.indices);
    const maker = new VariantMaker(simplified, source.path, { work, memory, samples: calibration }, key);
    const firstConvolution = simplified.graph?.node.find(({ opType }) => opType === 'Conv')?.name;
    const compression = {
      request,
      source,
      work,
      memory,
      samples,
      split,
      reference,
      maker,
      firstConvolution,
      key,
    };
    return await makeVariants(compression, fingerprint, report);
  } finally {
    reference.close();
    samples.close();
    await data.close();
  }
}

async function simplifiedModel(
  source: SourceModel,
  work: WorkFolder,
  memory: MemoryPeak,
): Promise<ModelProto> {
  const key = [source.hash, runtimeVersion()];
  const path = await work.file('simplified', key, () =>
    simplifyModel(source.model, source.path, work, memory),
  );
  return decodeModel(path, new Uint8Array(await readFile(path)));
}

/** One variant of each method, in turn. */
async function makeVariants(
  compression: Compression,
  fingerprint: string,
  report: Report,
): Promise<Pick<CompressReport, 'float' | 'variants'>> {
  const { request, source, split, firstConvolution } = compression;
  const recipes = request.methods.map((method) => standardRecipe(method, firstConvolution));
  const variants: VariantReport[] = [];
  let floatAccuracy: number | undefined;
  for (const [index, recipe] of recipes.entries()) {
    const share = (DONE.write - DONE.variants) / recipes.length;
    const start = DONE.variants + index * share;
    const { variant, scores } = await makeVariant(compression, recipe, (fraction, message) =>
      report(start + fraction * share, message),
    );
    variants.push(variant);
    floatAccuracy ??= scores?.accuracy?.float.value;
  }
  report(DONE.write, 'writing the manifest');
  const float = {
    file: source.path,
    sizeBytes: source.sizeBytes,
    ...(floatAccuracy === undefined ? {} : { accuracy: floatAccuracy }),
  };
  const { calibration, validation, test } = split;
  await writeManifest(request.out, {
    formatVersion: 1,
    model: { sha256: source.hash, sizeBytes: source.sizeBytes },
    data: {
      sha256: fingerprint,
      calibration: calibration.size,
      validation: validation.size,
      test: test.size,
    },
    seed: request.seed,
    maxAccuracyDrop: request.maxAccuracyDrop,
    runtime: `onnxruntime ${runtimeVersion()}`,
    float,
    variants,
  });
  return { float, variants };
}

interface MadeVariant {
  readonly variant: VariantReport;
  readonly scores: ComparisonScores | undefined;
}

/** Makes one variant, measures and judges it, and puts its file where it belongs. */
async function makeVariant(compression: Compression, recipe: Recipe, report: Report): Promise<MadeVariant> {
  const { request, source, work, maker, firstConvolution, key } = compression;
  const id = recipeId(recipe, firstConvolution);
  const failed = (reason: string): MadeVariant => ({
    variant: { id, recipe, file: null, status: 'refused', reason, sizeBytes: 0, snrDb: null, speed: null },
    scores: undefined,
  });
  report(0, `${id}: making`);
  let file: string;
  try {
    file = await work.file('variant', [key, recipe], async () => (await maker.make(recipe)).bytes);
  } catch (error) {
    if (error instanceof SelvageError && error.code === 'MODEL_UNSUPPORTED') return failed(error.message);
    throw error;
  }
  const figures = await work.value('figures', [key, recipe], () => measure(compression, id, file, report));
  if ('fault' in figures) return failed(figures.fault);
  const { scores, speed, sizeBytes } = figures;
  const { status, reason } = judge(figures, source.sizeBytes, request.maxAccuracyDrop);
  const target = variantPath(request.out, id, status);
  await placeVariant(file, target);
  const variant: VariantReport = {
    id,
    recipe,
    file: target,
    status,
    reason,
    sizeBytes,
    ...(scores.accuracy === undefined ? {} : { accuracy: scores.accuracy.variant.value }),
    ...(scores.agreement === undefined ? {} : { agreement: scores.agreement.value }),
    snrDb: scores.snrDb ?? null,
    speed: speed === undefined ? null : { median: speed.median, low: speed.low, high: speed.high },
  };
  return { variant, scores };
}

/** Scores a variant on the test samples and times it; a variant that does not run is a finding, not a failure. */
async function measure(
  { source, split, samples, reference, memory }: Compression,
  id: string,
  file: string,
  report: Report,
): Promise<VariantFigures | { readonly fault: string }> {
  const { indices, size } = split.test;
  const scoring = (from: number, to: number, what: string) => (count: number) =>
    report(from + ((to - from) * count) / size, `${id}: ${what}`);
  await reference.prepare(indices, scoring(0.3, 0.5, 'running the float model'));
  try {
    const scores = await reference.compare(file, indices, scoring(0.5, 0.8, 'scoring'));
    report(0.8, `${id}: timing`);
    const sample = await samples.inputs(indices[0] ?? 0);
    const speed = await compareSpeed(source.path, file, sample, memory);
    return { sizeBytes: (await stat(file)).size, scores, speed };
  } catch (error) {
    const isItsFault =
      error instanceof SelvageError && ['MODEL_UNSUPPORTED', 'INFERENCE_FAILED'].includes(error.code);
    if (!isItsFault) throw error;
    return { fault: `it does not run: ${error.message}` };
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (thrown) {
    throw SelvageError.of('FILE_UNWRITABLE', { path, reason: reasonOf(thrown) }, thrown);
  }
}
