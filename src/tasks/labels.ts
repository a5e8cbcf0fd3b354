import { open } from 'node:fs/promises';
import { reasonOf } from '../lib/errors.ts';
import type { Misfit } from './misfit.ts';

/** Largest labels file, in bytes; that of the 21,000 classes of ImageNet has about half of it. */
const MAX_LABELS_BYTES = 1024 * 1024;

/**
 * The labels of a setting: a list as it is, or the lines of a UTF-8 text file (a byte order mark, carriage returns
 * and empty lines at the end are left out). Throws what `misfit` makes where the file cannot be read.
 */
export async function readLabels(
  setting: string | readonly string[],
  misfit: Misfit,
): Promise<readonly string[]> {
  if (typeof setting !== 'string') return setting;
  const text = await readTextFile(setting).catch((error: unknown) => {
    throw misfit(`the labels file ${setting} cannot be read: ${reasonOf(error)}`);
  });
  const lines = text.split('\n').map((line) => line.replace(/\r$/, '').trim());
  while (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw misfit(`the labels file ${setting} is empty`);
  return lines;
}

/**
 * Label by output index: label `index + offset`, or the index itself where there is none. Throws what `misfit` makes
 * where the number of labels is not that of `classes` shifted by the offset, since names would then be wrong.
 */
export function labelsByIndex(
  labels: readonly string[],
  offset: number,
  classes: number | undefined,
  misfit: Misfit,
): readonly string[] {
  const count = classes ?? labels.length - offset;
  if (count < 1 || labels.length !== count + offset) {
    throw misfit(
      `${labels.length} labels for ${count} classes with labelOffset ${offset}: expected ${Math.max(0, count + offset)} labels, or labelOffset ${labels.length - count}`,
    );
  }
  return Array.from({ length: count }, (_, index) => labels[index + offset] ?? String(index));
}

async function readTextFile(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new TypeError('it is not a regular file');
    if (status.size > MAX_LABELS_BYTES)
      throw new RangeError(`${status.size} bytes are over the limit of ${MAX_LABELS_BYTES}`);
    const bytes = await file.readFile();
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } finally {
    await file.close();
  }
}
