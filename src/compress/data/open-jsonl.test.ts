import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { type ErrorCode, SelvageError } from '../../lib/errors.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import { splitBytes } from '../../tensor/tensor.ts';
import type { Dataset } from './dataset.ts';
import { openDataset } from './open-dataset.ts';

const signature: ModelSignature = { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }], outputs: [] };
const fixed: ModelSignature = { inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2] }], outputs: [] };

function request(data: unknown, shape: number[], more: object = {}): string {
  return JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape, data }], ...more });
}

async function open(t: TestContext, text: string, model = signature, labels?: string): Promise<Dataset> {
  const folder = temporaryDirectory(t);
  writeFileSync(join(folder, 'a.jsonl'), text);
  if (labels !== undefined) writeFileSync(join(folder, 'l.txt'), labels);
  const dataset = await openDataset(join(folder, 'a.jsonl'), {
    signature: model,
    classCount: 3,
    labels: labels === undefined ? undefined : join(folder, 'l.txt'),
  });
  t.after(() => dataset.close());
  return dataset;
}

async function valuesOf(dataset: Dataset): Promise<number[][]> {
  const values: number[][] = [];
  for (let index = 0; index < dataset.size; index++) {
    const { inputs } = await dataset.sample(index);
    values.push(inputs.flatMap((input) => Array.from(numbersOf(input) ?? [])));
  }
  return values;
}

describe('JSON lines of recorded requests', () => {
  it('give a sample for each row of each request, with its label', async (t) => {
    const text = [
      request([1, 2], [1, 2], { id: 'a', label: 2 }),
      '',
      request(
        [
          [3, 4],
          [5, 6],
        ],
        [2, 2],
        { label: [0, 1] },
      ),
      `${request([7, 8], [1, 2], { label: 1 })}\r`,
    ].join('\n');
    const dataset = await open(t, text);
    assert.deepEqual(await valuesOf(dataset), [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    assert.deepEqual(dataset.inputs, [{ name: 'x', datatype: 'FP32', shape: [1, 2] }]);
    assert.deepEqual(dataset.labels && [...dataset.labels], [2, 0, 1, 1]);
    assert.match(await dataset.fingerprint(), /^[0-9a-f]{64}$/);
  });

  it('keep a batch that the model fixes', async (t) => {
    const dataset = await open(t, request([1, 2, 3, 4], [2, 2]), fixed);
    assert.deepEqual(await valuesOf(dataset), [[1, 2, 3, 4]]);
  });

  it('split strings by row', async (t) => {
    const text = JSON.stringify({
      inputs: [{ name: 't', datatype: 'BYTES', shape: [2, 1], data: ['ä', 'bc'] }],
    });
    const dataset = await open(t, text, {
      inputs: [{ name: 't', datatype: 'BYTES', shape: [-1, 1] }],
      outputs: [],
    });
    const words: string[] = [];
    for (let index = 0; index < dataset.size; index++) {
      const [input] = (await dataset.sample(index)).inputs;
      for (const word of splitBytes(input?.data ?? new Uint8Array()) ?? [])
        words.push(Buffer.from(word).toString());
    }
    assert.deepEqual(words, ['ä', 'bc']);
  });

  it('take a file of labels instead of their own', async (t) => {
    const dataset = await open(
      t,
      `${request([1, 2], [1, 2], { label: 0 })}\n${request([1, 2], [1, 2])}\n`,
      signature,
      '1\n2\n',
    );
    assert.deepEqual(dataset.labels && [...dataset.labels], [1, 2]);
  });

  it('are found again across the pieces in which a long file is read', async (t) => {
    const count = 30_000;
    const lines = Array.from({ length: count }, (_, index) => request([index, -index], [1, 2]));
    const dataset = await open(t, lines.join('\n'));
    assert.equal(dataset.size, count);
    for (const index of [0, 1, 12_345, 17_000, count - 1]) {
      const [input] = (await dataset.sample(index)).inputs;
      assert.ok(input);
      assert.deepEqual(Array.from(numbersOf(input) ?? []), [index, -index + 0]);
    }
  });

  const good = request([1, 2], [1, 2]);
  const bad: Array<[what: string, text: string, code: ErrorCode, message: RegExp]> = [
    ['a broken line', `${good}\n{"inputs": [`, 'DATA_INVALID', /line 2: not valid JSON/],
    ['a line that is no object', `${good}\n[1]`, 'DATA_INVALID', /line 2: expected a JSON object/],
    ['deep nesting', `${good}\n{"a":${'['.repeat(5000)}`, 'DATA_INVALID', /line 2: JSON nested/],
    ['no inputs', '{"instances": [1]}', 'DATA_INVALID', /line 1 is no inference request/],
    [
      'an input without shape',
      '{"inputs": [{"name": "x", "datatype": "FP32", "data": [1]}]}',
      'DATA_INVALID',
      /needs "name", "datatype" and "shape"/,
    ],
    [
      'binary data',
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}]}',
      'DATA_INVALID',
      /no "data"/,
    ],
    ['an enormous shape', request([1], [1e9, 1e9]), 'DATA_INVALID', /needs "name"/],
    ['an enormous batch', request([1], [1e12, 1]), 'DATA_INVALID', /more than 1000000 samples/],
    ['too few elements', request([1], [1, 2]), 'DATA_MISMATCH', /line 1: .*2 elements/],
    ['another shape', request([1, 2, 3], [1, 3]), 'DATA_MISMATCH', /\[-1,2\], line 1 has FP32 \[1,3\]/],
    ['an empty batch', request([], [0, 2]), 'DATA_INVALID', /no elements/],
    ['another input', good.replace('"x"', '"y"'), 'DATA_MISMATCH', /input 'y'; the model has 'x'/],
    [
      'a label out of range',
      request([1, 2], [1, 2], { label: 3 }),
      'LABELS_INVALID',
      /label on line 1 is 3, expected 0 to 2/,
    ],
    [
      'a label too many',
      request([1, 2], [1, 2], { label: [0, 1] }),
      'LABELS_INVALID',
      /2 labels for 1 samples/,
    ],
    [
      'a label missing',
      `${request([1, 2], [1, 2], { label: 0 })}\n${good}`,
      'LABELS_INVALID',
      /1 of 2 samples have a label/,
    ],
    [
      'an object for a label',
      request([1, 2], [1, 2], { label: {} }),
      'LABELS_INVALID',
      /label on line 1 is \{\}/,
    ],
  ];
  for (const [what, text, code, message] of bad) {
    it(`with ${what} are refused`, async (t) => {
      await assert.rejects(
        async () => valuesOf(await open(t, text)),
        (error) => {
          assert.ok(error instanceof SelvageError, String(error));
          assert.equal(error.code, code, error.message);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});
