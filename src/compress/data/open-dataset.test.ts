import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { floatNpy, npyFile, zipFile } from '../../../test/numpy-files.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { type ErrorCode, SelvageError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import type { ModelSignature } from '../../tensor/infer.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import { constantInputs } from './constant-inputs.ts';
import type { Dataset } from './dataset.ts';
import { openDataset } from './open-dataset.ts';
import type { OpenOptions } from './open-options.ts';

function signatureOf(...inputs: Array<[name: string, datatype: Datatype, shape: number[]]>): ModelSignature {
  return { inputs: inputs.map(([name, datatype, shape]) => ({ name, datatype, shape })), outputs: [] };
}

const pair = signatureOf(['x', 'FP32', [-1, 2]]);

function fileIn(t: TestContext, name: string, contents: Buffer | string): string {
  const path = join(temporaryDirectory(t), name);
  writeFileSync(path, contents);
  return path;
}

async function open(t: TestContext, path: string, options: Partial<OpenOptions> = {}): Promise<Dataset> {
  const dataset = await openDataset(path, { signature: pair, ...options });
  t.after(() => dataset.close());
  return dataset;
}

async function values(dataset: Dataset, index: number): Promise<number[][]> {
  const { inputs } = await dataset.sample(index);
  return inputs.map((tensor) => Array.from(numbersOf(tensor) ?? []));
}

async function refused(path: string, code: ErrorCode, message: RegExp, options: Partial<OpenOptions> = {}) {
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

describe('a .npy file', () => {
  for (const version of [1, 2, 3] as const) {
    it(`is read in format ${version}.0`, async (t) => {
      const bytes = npyFile('<f4', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6), { version });
      const dataset = await open(t, fileIn(t, 'a.npy', bytes));
      assert.equal(dataset.size, 3);
      assert.deepEqual(dataset.inputs, [{ name: 'x', datatype: 'FP32', shape: [1, 2] }]);
      assert.deepEqual(await values(dataset, 0), [[1, 2]]);
      assert.deepEqual(await values(dataset, 2), [[5, 6]]);
      assert.equal(dataset.labels, undefined);
    });
  }

  const kinds: Array<[descr: string, datatype: Datatype, data: ArrayBufferView]> = [
    ['|b1', 'BOOL', Uint8Array.of(1, 0)],
    ['|u1', 'UINT8', Uint8Array.of(255, 0)],
    ['<u2', 'UINT16', Uint16Array.of(65535, 0)],
    ['<u4', 'UINT32', Uint32Array.of(4294967295, 0)],
    ['<u8', 'UINT64', BigUint64Array.of(7n, 0n)],
    ['|i1', 'INT8', Int8Array.of(-128, 0)],
    ['<i2', 'INT16', Int16Array.of(-3, 0)],
    ['<i4', 'INT32', Int32Array.of(-4, 0)],
    ['<i8', 'INT64', BigInt64Array.of(-5n, 0n)],
    ['<f2', 'FP16', Uint16Array.of(0x3c00, 0)],
    ['<f4', 'FP32', Float32Array.of(0.5, 0)],
    ['<f8', 'FP64', Float64Array.of(0.1, 0)],
  ];
  for (const [descr, datatype, data] of kinds) {
    it(`of ${descr} is ${datatype}`, async (t) => {
      const signature = signatureOf(['x', datatype, [-1]]);
      const dataset = await open(t, fileIn(t, 'a.npy', npyFile(descr, [2], data)), {
        signature: { ...signature, inputs: [{ name: 'x', datatype, shape: [-1] }] },
      });
      assert.equal(dataset.size, 2);
      const expected = datatype === 'FP16' ? 1 : Number((data as Uint8Array)[0]);
      assert.deepEqual(await values(dataset, 0), [[expected]]);
      assert.deepEqual(await values(dataset, 1), [[0]]);
    });
  }

  it('gives whole inputs where its rows have the rank of the input', async (t) => {
    const bytes = floatNpy([2, 1, 2], [1, 2, 3, 4]);
    const dataset = await open(t, fileIn(t, 'a.npy', bytes), {
      signature: signatureOf(['x', 'FP32', [1, 2]]),
    });
    assert.deepEqual(await values(dataset, 1), [[3, 4]]);
    assert.deepEqual(dataset.inputs[0]?.shape, [1, 2]);
  });

  const two = Float32Array.of(1, 2);
  const bad: Array<[what: string, contents: Buffer | string, code: ErrorCode, message: RegExp]> = [
    ['an empty file', '', 'DATA_EMPTY', /is empty/],
    ['no samples', floatNpy([0, 2], []), 'DATA_EMPTY', /holds no samples/],
    ['a text file', 'hello', 'DATA_INVALID', /none of/],
    ['Fortran order', npyFile('<f4', [1, 2], two, { fortran: true }), 'DATA_INVALID', /ascontiguousarray/],
    ['big-endian', npyFile('>f4', [1, 2], two), 'DATA_INVALID', /astype\('f4'\)/],
    ['strings', npyFile('<U1', [1, 2], two), 'DATA_INVALID', /type '<U1'/],
    ['objects', npyFile('|O', [1], two), 'DATA_INVALID', /type '\|O'/],
    ['complex numbers', npyFile('<c8', [1], two), 'DATA_INVALID', /type '<c8'/],
    [
      'records',
      npyFile('', [], two, { header: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }" }),
      'DATA_INVALID',
      /records/,
    ],
    [
      'a header without shape',
      npyFile('', [], two, { header: "{'descr': '<f4'}" }),
      'DATA_INVALID',
      /damaged header/,
    ],
    [
      '2^60 elements',
      npyFile('<f4', [2 ** 30, 2 ** 30], two),
      'DATA_INVALID',
      /announces \d+ bytes.*there are 8/,
    ],
    ['a negative dimension', npyFile('<f4', [-1, 2], two), 'DATA_INVALID', /damaged header/],
    [
      'a dimension of 30 digits',
      npyFile('', [], two, {
        header: `{'descr': '<f4', 'fortran_order': False, 'shape': (${'9'.repeat(30)},), }`,
      }),
      'DATA_INVALID',
      /damaged header/,
    ],
    ['missing bytes', floatNpy([2, 2], [1, 2, 3]), 'DATA_INVALID', /announces 16 bytes.*there are 12/],
    [
      'more bytes than announced',
      floatNpy([1, 2], [1, 2, 3]),
      'DATA_INVALID',
      /announces 8 bytes.*there are 12/,
    ],
    [
      'a header over the end',
      npyFile('<f4', [1, 2], two).subarray(0, 40),
      'DATA_INVALID',
      /ends inside its header/,
    ],
    ['format 9', Buffer.from('\x93NUMPY\x09\x00\x10\x00{}', 'latin1'), 'DATA_INVALID', /version 9/],
    ['a single value', floatNpy([], [1]), 'DATA_INVALID', /single value/],
    [
      'another width',
      floatNpy([1, 3], [1, 2, 3]),
      'DATA_MISMATCH',
      /input 'x' is \[-1,2\], the array \[1,3\]/,
    ],
    [
      'raw pixels',
      npyFile('|u1', [1, 2], Uint8Array.of(1, 2)),
      'DATA_MISMATCH',
      /FP32, the array holds UINT8.*raw pixels/,
    ],
    ['doubles', npyFile('<f8', [1, 2], Float64Array.of(1, 2)), 'DATA_MISMATCH', /astype\('float32'\)/],
    [
      'NaN',
      floatNpy([2, 2], [1, 2, 3, Number.NaN]),
      'DATA_INVALID',
      /sample 1 has NaN in input 'x' at element 1/,
    ],
    ['infinity', floatNpy([1, 2], [1, Number.NEGATIVE_INFINITY]), 'DATA_INVALID', /-Infinity/],
  ];
  for (const [what, contents, code, message] of bad) {
    it(`with ${what} is refused`, (t) => refused(fileIn(t, 'a.npy', contents), code, message));
  }

  it('is refused for a model with two inputs', (t) =>
    refused(fileIn(t, 'a.npy', floatNpy([1, 2], [1, 2])), 'DATA_MISMATCH', /inputs 'a', 'b'.*npz/, {
      signature: signatureOf(['a', 'FP32', [-1, 2]], ['b', 'FP32', [-1, 2]]),
    }));

  it('with a BOOL of 2 is refused', (t) =>
    refused(
      fileIn(t, 'a.npy', npyFile('|b1', [1, 1], Uint8Array.of(2))),
      'DATA_INVALID',
      /BOOL bytes 0 and 1/,
      {
        signature: signatureOf(['x', 'BOOL', [-1, 1]]),
      },
    ));

  it('that is cut off while it is in use is noticed', async (t) => {
    const path = fileIn(t, 'a.npy', floatNpy([2, 2], [1, 2, 3, 4]));
    const dataset = await open(t, path);
    writeFileSync(path, floatNpy([1, 2], [1, 2]));
    await assert.rejects(
      dataset.sample(1),
      (error) => error instanceof SelvageError && error.code === 'DATA_INVALID',
    );
  });
});

describe('a .npz file', () => {
  const x = floatNpy([3, 2], [1, 2, 3, 4, 5, 6]);
  const y = npyFile('<i8', [3], BigInt64Array.of(0n, 2n, 1n));

  for (const deflate of [false, true]) {
    it(`is read ${deflate ? 'deflated' : 'stored'}, with labels`, async (t) => {
      const scratchDir = temporaryDirectory(t);
      const path = fileIn(
        t,
        'a.npz',
        zipFile([
          { name: 'x.npy', data: x, deflate },
          { name: 'y.npy', data: y, deflate },
        ]),
      );
      const dataset = await open(t, path, { classCount: 3, scratchDir });
      assert.deepEqual(await values(dataset, 2), [[5, 6]]);
      assert.deepEqual(await values(dataset, 0), [[1, 2]]);
      assert.deepEqual([...(dataset.labels ?? [])], [0, 2, 1]);
      assert.deepEqual(dataset.warnings, []);
      assert.deepEqual(readdirSync(scratchDir), [], 'nothing is left on disk');
    });
  }

  it('takes its only array for the only input, and names what it does not use', async (t) => {
    const renamed = await open(t, fileIn(t, 'a.npz', zipFile([{ name: 'arr_0.npy', data: x }])));
    assert.deepEqual(await values(renamed, 1), [[3, 4]]);
    const more = zipFile([
      { name: 'x.npy', data: x },
      { name: 'ids.npy', data: y },
    ]);
    const dataset = await open(t, fileIn(t, 'a.npz', more));
    assert.match(dataset.warnings.join(), /'ids' is no input/);
    assert.equal(dataset.labels, undefined);
  });

  it('gives every input, a state and a scalar among them', async (t) => {
    const signature = signatureOf(
      ['input.1', 'FP32', [-1, 2]],
      ['state', 'FP32', [2, 1]],
      ['sr', 'INT64', []],
    );
    const path = fileIn(
      t,
      'a.npz',
      zipFile([
        { name: 'input.1.npy', data: x },
        { name: 'state.npy', data: floatNpy([3, 2, 1], [1, 2, 3, 4, 5, 6]), deflate: true },
        { name: 'sr.npy', data: y },
      ]),
    );
    const dataset = await open(t, path, { signature });
    assert.deepEqual(
      dataset.inputs.map(({ shape }) => shape),
      [[1, 2], [2, 1], []],
    );
    assert.deepEqual(await values(dataset, 1), [[3, 4], [3, 4], [2]]);
  });

  it('has the same fingerprint wherever it lies, another with other labels', async (t) => {
    const archive = zipFile([{ name: 'x.npy', data: x }]);
    const first = await (await open(t, fileIn(t, 'a.npz', archive))).fingerprint();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await (await open(t, fileIn(t, 'b.npz', archive))).fingerprint(), first);
    const labels = fileIn(t, 'l.txt', '0\n1\n2\n');
    assert.notEqual(await (await open(t, fileIn(t, 'c.npz', archive), { labels })).fingerprint(), first);
  });

  const zeros = npyFile('<f4', [8192, 2], new Float32Array(16_384));
  const stored = zipFile([{ name: 'x.npy', data: x }]);
  const flipped = Buffer.from(stored);
  flipped[180] = (flipped[180] ?? 0) ^ 1;
  const bad: Array<[what: string, contents: Buffer, code: ErrorCode, message: RegExp]> = [
    ['no arrays', zipFile([{ name: 'photo.jpg', data: x }]), 'DATA_INVALID', /without NumPy arrays/],
    ['nothing', zipFile([]), 'DATA_INVALID', /without NumPy arrays/],
    ['the directory missing', stored.subarray(0, stored.length - 30), 'DATA_INVALID', /directory is missing/],
    ['a flipped bit', flipped, 'DATA_INVALID', /is damaged/],
    [
      'a name twice',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'x.npy', data: x },
      ]),
      'DATA_INVALID',
      /'x' twice/,
    ],
    [
      'another name',
      zipFile([
        { name: 'a.npy', data: x },
        { name: 'b.npy', data: x },
      ]),
      'DATA_MISMATCH',
      /no array for input 'x'; there are 'a', 'b'/,
    ],
    ['encryption', zipFile([{ name: 'x.npy', data: x, flags: 1 }]), 'DATA_INVALID', /encrypted/],
    ['another method', zipFile([{ name: 'x.npy', data: x, method: 12 }]), 'DATA_INVALID', /method 12/],
    [
      'a bomb that the directory hides',
      zipFile([{ name: 'x.npy', data: zeros, deflate: true, claimBytes: 200 }]),
      'DATA_INVALID',
      /is damaged/,
    ],
    [
      'an impossible ratio',
      zipFile([{ name: 'x.npy', data: x, deflate: true, claimBytes: 2 ** 30 }]),
      'DATA_INVALID',
      /more than its \d+ packed/,
    ],
    [
      '5 GB in two arrays',
      zipFile([
        { name: 'x.npy', data: x, claimBytes: 3e9 },
        { name: 'y.npy', data: x, claimBytes: 3e9 },
      ]),
      'DATA_INVALID',
      /at most 4294967296/,
    ],
    [
      'too many labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: npyFile('<i4', [4], Int32Array.of(0, 1, 2, 0)) },
      ]),
      'LABELS_INVALID',
      /4 labels for 3 samples/,
    ],
    [
      'labels out of range',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: npyFile('<i4', [3], Int32Array.of(0, 1, 3)) },
      ]),
      'LABELS_INVALID',
      /label 3 is 3, expected 0 to 2 \(the model has 3 classes\)/,
    ],
    [
      'float labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: floatNpy([3], [0, 1, 2]) },
      ]),
      'LABELS_INVALID',
      /expected integers of shape \[3\], found FP32/,
    ],
    [
      'damaged labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'y.npy', data: Buffer.from('no') },
      ]),
      'LABELS_INVALID',
      /not a NumPy array/,
    ],
  ];
  for (const [what, contents, code, message] of bad) {
    it(`with ${what} is refused`, (t) =>
      refused(fileIn(t, 'a.npz', contents), code, message, { classCount: 3 }));
  }

  it('with inputs of different length is refused', (t) =>
    refused(
      fileIn(
        t,
        'a.npz',
        zipFile([
          { name: 'x.npy', data: x },
          { name: 'z.npy', data: floatNpy([2, 2], [1, 2, 3, 4]) },
        ]),
      ),
      'DATA_INVALID',
      /3 samples in 'x' but 2 in 'z'/,
      { signature: signatureOf(['x', 'FP32', [-1, 2]], ['z', 'FP32', [-1, 2]]) },
    ));

  it('that cannot be unpacked for want of a folder says where', (t) =>
    refused(
      fileIn(t, 'a.npz', zipFile([{ name: 'x.npy', data: x, deflate: true }])),
      'FILE_UNWRITABLE',
      /missing/,
      {
        scratchDir: join(temporaryDirectory(t), 'missing'),
      },
    ));
});

describe('damaged files', () => {
  it('never give anything but a SelvageError', async (t) => {
    const random = seededRandom(7);
    const x = floatNpy([3, 2], [1, 2, 3, 4, 5, 6]);
    const line = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
      label: 1,
    });
    const files = [
      x,
      zipFile([{ name: 'x.npy', data: x }]),
      zipFile([
        { name: 'x.npy', data: x, deflate: true },
        { name: 'y.npy', data: npyFile('|u1', [3], Uint8Array.of(0, 1, 2)) },
      ]),
      Buffer.from(`${line}\n${line}\n`),
    ];
    const path = fileIn(t, 'damaged', '');
    for (let round = 0; round < 600; round++) {
      const bytes = Buffer.from(files[round % files.length] as Buffer);
      for (let flips = Math.ceil(random() * 4); flips > 0; flips--) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
      const length = random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length;
      writeFileSync(path, bytes.subarray(0, length));
      try {
        const dataset = await openDataset(path, { signature: pair, classCount: 3 });
        try {
          for (let index = 0; index < dataset.size; index++) await dataset.sample(index);
        } finally {
          await dataset.close();
        }
      } catch (error) {
        assert.ok(
          error instanceof SelvageError,
          `round ${round}: ${error instanceof Error ? error.stack : error}`,
        );
        assert.notEqual(error.code, 'INTERNAL', `round ${round}`);
      }
    }
  });
});

describe('constantInputs', () => {
  it('names the inputs that never change', async (t) => {
    const archive = zipFile([
      { name: 'a.npy', data: floatNpy([3, 1], [1, 1, 1]) },
      { name: 'b.npy', data: floatNpy([3, 1], [1, 1, 2]) },
    ]);
    const signature = signatureOf(['a', 'FP32', [-1, 1]], ['b', 'FP32', [-1, 1]]);
    const dataset = await open(t, fileIn(t, 'a.npz', archive), { signature });
    assert.deepEqual(await constantInputs(dataset), ['a']);
    assert.deepEqual(await constantInputs({ size: 1, sample: (index) => dataset.sample(index) }), []);
  });
});
