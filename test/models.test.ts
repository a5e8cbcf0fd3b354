import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkModel } from '../src/graph/check-model.ts';
import { decodeModel } from '../src/graph/read-model.ts';
import { DATATYPE_NAMES, DATATYPES, type Datatype } from '../src/tensor/datatype.ts';
import {
  bigModel,
  identityModel,
  scalarModel,
  slowModel,
  tinyModel,
  tinyOutput,
  twoInputModel,
} from './models.ts';
import { type PlainTensor, type RuntimeTask, runInRuntime } from './runtime.ts';

const SAMPLES: Record<Datatype, PlainTensor['data']> = {
  BOOL: [0, 1, 1],
  UINT8: [0, 255, 7],
  UINT16: [0, 65535, 7],
  UINT32: [0, 4294967295, 7],
  UINT64: ['0', '18446744073709551615', '7'],
  INT8: [-128, 127, 0],
  INT16: [-32768, 32767, 0],
  INT32: [-2147483648, 2147483647, 0],
  INT64: ['-9223372036854775808', '9223372036854775807', '0'],
  FP16: [0x3c00, 0x7c00, 0x8000],
  FP32: [0.5, -1.25, 2 ** 100],
  FP64: [0.1, -1e300, 0],
  BYTES: ['', 'grüße', '東京'],
};

describe('models built in code', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-models-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function run(models: readonly (readonly [bytes: Uint8Array, feeds: RuntimeTask['feeds']])[]) {
    const tasks = await Promise.all(
      models.map(async ([bytes, feeds], index) => {
        const path = join(folder, `${index}.onnx`);
        checkModel(decodeModel(path, bytes), { path });
        await writeFile(path, bytes);
        return { path, ...(feeds === undefined ? {} : { feeds }) };
      }),
    );
    return (await runInRuntime(tasks)).map((result) => {
      assert.equal(result.error, undefined);
      return result.outputs ?? {};
    });
  }

  it('answer what they say they do', async () => {
    const rows = [
      [1, 2, 3, 4],
      [-5, 0, 0, 0],
    ];
    const [tiny, big, slow, pair, scalar] = await run([
      [tinyModel(), { input: { type: 'float32', dims: [2, 4], data: rows.flat() } }],
      [bigModel(2), { input: { type: 'int64', dims: [2], data: ['3', '255'] } }],
      [slowModel(), { iterations: { type: 'int64', dims: [1], data: ['1000'] } }],
      [
        twoInputModel(),
        {
          a: { type: 'float32', dims: [1, 2], data: [2, 3] },
          b: { type: 'float32', dims: [1, 2], data: [5, 7] },
        },
      ],
      [scalarModel(), { start: { type: 'int64', dims: [], data: ['41'] } }],
    ]);
    assert.deepEqual(tiny?.['output'], { type: 'float32', dims: [2, 3], data: rows.flatMap(tinyOutput) });
    assert.deepEqual(big?.['output']?.dims, [2, 2048]);
    assert.deepEqual(new Set(big?.['output']?.data), new Set([3, 255]));
    const identity = Array.from({ length: 64 * 64 }, (_, index) => (index % 65 === 0 ? 1 : 0));
    assert.deepEqual(slow?.['output'], { type: 'float32', dims: [64, 64], data: identity });
    assert.deepEqual(
      [pair?.['sum']?.data, pair?.['product']?.data],
      [
        [7, 10],
        [10, 21],
      ],
    );
    assert.deepEqual(scalar?.['next'], { type: 'int64', dims: [], data: ['42'] });
  });

  it('give back every datatype unchanged', async () => {
    const feeds = DATATYPE_NAMES.map((name) => ({
      type: DATATYPES[name].ort,
      dims: [3],
      data: SAMPLES[name],
    }));
    const outputs = await run(
      DATATYPE_NAMES.map(
        (name, index) => [identityModel(name), { input: feeds[index] as PlainTensor }] as const,
      ),
    );
    assert.deepEqual(
      outputs.map(({ output }) => output),
      feeds,
    );
  });

  it('makes a big model of about the size asked for', () => {
    const size = bigModel(5).length;
    assert.ok(size > 5 * 2 ** 20 && size < 5 * 2 ** 20 + 1000, `${size} bytes`);
  });
});
