import { stat } from 'node:fs/promises';
import type { Compression, Report } from './compression.ts';
import type { VariantReport } from './job-messages.ts';
import { type Recipe, recipeId } from './recipe.ts';
import { type Fault, faultOf } from './try-recipe.ts';
import { compareSpeed, judge, type VariantFigures } from './variant-judge.ts';
import { placeVariant, variantPath } from './write-results.ts';

/** A variant as it is reported, and all that was measured of it. */
export interface FinishedVariant {
  readonly variant: VariantReport;
  readonly figures: VariantFigures | undefined;
}

/** Makes a variant, scores it on the test samples, times and judges it, and puts its file where it belongs. */
export async function finishVariant(
  compression: Compression,
  recipe: Recipe,
  report: Report,
): Promise<FinishedVariant> {
  const { request, source, work, key, firstConvolution } = compression;
  const id = recipeId(recipe, firstConvolution);
  report(0, `${id}: making`);
  const file = await variantFile(compression, recipe);
  if (typeof file !== 'string') return notMade(id, recipe, file);
  const figures = await work.value('figures', [key, recipe], () => measure(compression, id, file, report));
  if ('fault' in figures) return notMade(id, recipe, figures);
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
  return { variant, figures };
}

function notMade(id: string, recipe: Recipe, { fault }: Fault): FinishedVariant {
  const nothing = { file: null, status: 'refused', sizeBytes: 0, snrDb: null, speed: null } as const;
  return { variant: { id, recipe, ...nothing, reason: fault }, figures: undefined };
}

/** The variant's file in the work folder, or why there is none. */
async function variantFile({ work, maker, key }: Compression, recipe: Recipe): Promise<string | Fault> {
  try {
    const made = await work.value('made', [key, recipe], async () => {
      const { bytes, handled, skipped } = await maker.make(recipe);
      if (handled === 0) return { fault: nothingToDo(skipped) };
      await work.file('variant', [key, recipe], async () => bytes);
      return { handled };
    });
    if (made.fault !== undefined) return { fault: made.fault };
    return await work.file('variant', [key, recipe], async () => (await maker.make(recipe)).bytes);
  } catch (error) {
    return faultOf(error);
  }
}

/** Why a recipe found nothing to change: the reason that it gave most often. */
function nothingToDo(skipped: ReadonlyArray<{ readonly operator: string; readonly reason: string }>): string {
  const counts = new Map<string, number>();
  for (const { operator, reason } of skipped) {
    const text = `${operator}: ${reason}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return `it has nothing to work on in this model${most === undefined ? '' : ` (${most[0]})`}`;
}

/** A variant that does not run is a finding, not a failure; the float model has to. */
async function measure(
  { source, split, samples, reference, memory }: Compression,
  id: string,
  file: string,
  report: Report,
): Promise<VariantFigures | Fault> {
  const { indices, size } = split.test;
  const part = (from: number, to: number, what: string) => (count: number) =>
    report(from + ((to - from) * count) / size, `${id}: ${what}`);
  await reference.prepare(indices, part(0.3, 0.5, 'running the float model'));
  try {
    const scores = await reference.compare(file, indices, part(0.5, 0.8, 'scoring'));
    report(0.8, `${id}: timing`);
    const sample = await samples.inputs(indices[0] ?? 0);
    const speed = await compareSpeed(source.path, file, sample, memory);
    return { sizeBytes: (await stat(file)).size, scores, speed };
  } catch (error) {
    return faultOf(error);
  }
}
