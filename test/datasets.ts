import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Dataset } from '../src/compress/data/dataset.ts';
import { openDataset } from '../src/compress/data/open-dataset.ts';
import type { OpenOptions } from '../src/compress/data/open-options.ts';
import { type ErrorCode, SelvageError } from '../src/lib/errors.ts';
import type { Datatype } from '../src/tensor/datatype.ts';
import type { ModelSignature } from '../src/tensor/infer.ts';
import { numbersOf } from '../src/tensor/numbers.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A model with these inputs. */
export function signatureOf(
  ...inputs: Array<[name: string, datatype: Datatype, shape: number[]]>
): ModelSignature {
  return { inputs: inputs.map(([name, datatype, shape]) => ({ name, datatype, shape })), outputs: [] };
}

/** A model with an input `x` of two numbers. */
export const pair = signatureOf(['x', 'FP32', [-1, 2]]);

/** A file in a temporary directory. */
export function fileIn(t: TestContext, name: string, contents: Buffer | string): string {
  const path = join(temporaryDirectory(t), name);
  writeFileSync(path, contents);
  return path;
}

/** Opens a data set for `pair`, or another model; it is closed after the test. */
export async function openForTest(
  t: TestContext,
  path: string,
  options: Partial<OpenOptions> = {},
): Promise<Dataset> {
  const dataset = await openDataset(path, { signature: pair, ...options });
  t.after(() => dataset.close());
  return dataset;
}

/** The numbers of each input of a sample. */
export async function valuesOf(dataset: Dataset, index: number): Promise<number[][]> {
  const { inputs } = await dataset.sample(index);
  return inputs.map((tensor) => Array.from(numbersOf(tensor) ?? []));
}

/** Asserts that opening the data or reading one of its samples throws this error. */
export async function assertRefused(
  path: string,
  code: ErrorCode,
  message: RegExp,
  options: Partial<OpenOptions> = {},
) {
  const attempt = async () => {
    const dataset = await openDataset(path, { signature: pair, ...options });
    try {
      for (let index = 0; index < dataset.size; index++) await dataset.sample(index);
    } finally {
      await dataset.close();
    }
  };
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof SelvageError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}
