import { mkdir, readFile } from 'node:fs/promises';
import { constantInputs } from '../../compress/data/constant-inputs.ts';
import { dataInvalid } from '../../compress/data/dataset.ts';
import { splitDataset } from '../../compress/data/split-dataset.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { decodeModel } from '../../graph/read-model.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { runtimeVersion } from '../../runtime/runtime-version.ts';
import { checkRoom } from './check-room.ts';
import { chooseRecipes } from './choose-recipes.ts';
import type { Compression, Report } from './compression.ts';
import { type FinishedVariant, finishVariant } from './finish-variant.ts';
import { FloatReference } from './float-reference.ts';
import type { CompressReport, CompressRequest, CompressResult } from './job-messages.ts';
import { MemoryPeak } from './memory-peak.ts';
import { type OpenedData, openData } from './open-data.ts';
import { partSizes } from './part-sizes.ts';
import { readSource, type SourceModel } from './read-source.ts';
import { SampleSource } from './sample-source.ts';
import { simplifyModel } from './simplify-model.ts';
import { VariantMaker } from './variant-maker.ts';
import { WorkFolder } from './work-folder.ts';
import { writeManifest } from './write-results.ts';

/** Parts of the whole that are done at the beginning of each step; variants share what lies between. */
const DONE = { look: 0.02, simplify: 0.05, search: 0.1, variants: 0.7, write: 0.97 } as const;

/**
 * Makes the variants of a request, measures and gates them, and writes them with their manifest. Finished steps of a
 * job that was killed are found again. Throws as `runCompress` says.
 */
export async function compressModel(request: CompressRequest, report: Report): Promise<CompressResult> {
  const startedMs = performance.now();
  const memory = new MemoryPeak();
  report(0, 'reading the model');
  const source = await readSource(request.model);
  await makeFolder(request.out);
  await checkRoom(request.out, source.sizeBytes, request.methods.length);
  const work = await WorkFolder.open(request.out);
  try {
    const data = await openData(request, source.signature, work.path);
    const { warnings, ...variants } = await withData(request, source, data, { work, memory }, report);
    await work.remove();
    const seconds = Math.round(performance.now() - startedMs) / 1000;
    return {
      report: { model: source.path, ...variants, seconds, peakRssBytes: memory.total() },
      warnings,
    };
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
): Promise<Pick<CompressReport, 'float' | 'variants'> & { readonly warnings: readonly string[] }> {
  const samples = new SampleSource(data.dataset, data.isDecoded, work);
  const { scoresOutput } = data;
  const reference = new FloatReference({ path: source.path, samples, work, memory, scoresOutput });
  try {
    report(DONE.look, 'looking at the data');
    const looked = await lookAtData(request, data, samples);
    const { split, sizes, sha256, warnings } = looked;
    report(DONE.simplify, 'simplifying the model');
    const simplified = await simplifiedModel(source, work, memory);
    const key = [source.hash, runtimeVersion(), sha256, sizes, request.seed, request.task];
    const calibration = () => samples.all(split.calibration.indices);
    const maker = new VariantMaker(simplified, source.path, { work, memory, samples: calibration }, key);
    const firstConvolution = simplified.graph?.node.find(({ opType }) => opType === 'Conv')?.name;
    const common = { request, source, work, memory, samples, split, reference };
    const made = await makeVariants(
      { ...common, maker, firstConvolution, key },
      { sha256, warnings },
      report,
    );
    return { ...made, warnings };
  } finally {
    reference.close();
    samples.close();
    await data.close();
  }
}

/** Splits the data and says what is odd about it. Throws DATA_EMPTY or, where all samples are equal, DATA_INVALID. */
async function lookAtData(request: CompressRequest, { dataset }: OpenedData, samples: SampleSource) {
  const sizes = partSizes(dataset.size, request.budgetSeconds > 0);
  const split = splitDataset(dataset, { ...sizes, seed: request.seed });
  const { size, indices } = split.calibration;
  const sample = async (at: number) => ({ inputs: await samples.inputs(indices[at] ?? 0) });
  const constant = await constantInputs({ size, sample });
  if (size > 1 && constant.length === dataset.inputs.length) {
    throw dataInvalid(request.data, 'every sample is the same, so there is nothing to calibrate on');
  }
  const warnings = [
    ...dataset.warnings,
    ...split.warnings,
    ...constant.map((name) => `input '${name}' is the same in every sample`),
  ];
  return { split, sizes, warnings, sha256: await dataset.fingerprint() };
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

/** Chooses recipes, carries them out one after the other, and writes the manifest. */
async function makeVariants(
  compression: Compression,
  data: { readonly sha256: string; readonly warnings: readonly string[] },
  report: Report,
): Promise<Pick<CompressReport, 'float' | 'variants'>> {
  const { request, source, split } = compression;
  const part =
    (from: number, to: number): Report =>
    (fraction, message) =>
      report(from + (to - from) * fraction, message);
  const isSearch = request.budgetSeconds > 0;
  const recipes = await chooseRecipes(compression, part(DONE.search, DONE.variants));
  const start = isSearch ? DONE.variants : DONE.search;
  const share = (DONE.write - start) / recipes.length;
  const finished: FinishedVariant[] = [];
  for (const [index, recipe] of recipes.entries()) {
    const from = start + index * share;
    finished.push(await finishVariant(compression, recipe, part(from, from + share)));
  }
  report(DONE.write, 'writing the manifest');
  const accuracy = finished.map(({ figures }) => figures?.scores.accuracy?.float.value).find(Number.isFinite);
  const float = {
    file: source.path,
    sizeBytes: source.sizeBytes,
    ...(accuracy === undefined ? {} : { accuracy }),
  };
  const { calibration, validation, test } = split;
  await writeManifest(request.out, {
    formatVersion: 1,
    model: { sha256: source.hash, sizeBytes: source.sizeBytes },
    data: { ...data, calibration: calibration.size, validation: validation.size, test: test.size },
    seed: request.seed,
    maxAccuracyDrop: request.maxAccuracyDrop,
    runtime: `onnxruntime ${runtimeVersion()}`,
    float,
    variants: finished.map(({ variant, figures }) => ({ ...variant, measured: figures })),
  });
  return { float, variants: finished.map(({ variant }) => variant) };
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (thrown) {
    throw SelvageError.of('FILE_UNWRITABLE', { path, reason: reasonOf(thrown) }, thrown);
  }
}
