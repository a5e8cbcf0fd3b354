import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { type ErrorCode, SelvageError } from '../../lib/errors.ts';
import { bytesOf } from '../../tensor/tensor.ts';
import type { Dataset } from './dataset.ts';
import { openDataset } from './open-dataset.ts';
import type { DecodeImage, OpenOptions } from './open-options.ts';

const signature = { inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, 1] }], outputs: [] };

/** "Decodes" a file into the one number that is its text, so that a sample says which file it came from. */
const decode: DecodeImage = async (bytes, mediaType) => {
  const text = Buffer.from(bytes).toString();
  if (text === 'broken')
    throw SelvageError.of('MEDIA_UNREADABLE', { kind: mediaType, reason: 'it is broken' });
  if (text === 'busy') throw SelvageError.of('MEDIA_BUSY', { waiting: 3 });
  return [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: bytesOf(Float32Array.of(Number(text))) }];
};

function folderOf(t: TestContext, files: Record<string, string>): string {
  const folder = temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function labelsFile(t: TestContext, name: string, text: string): string {
  return join(folderOf(t, { [name]: text }), name);
}

async function valuesOf(dataset: Dataset): Promise<number[]> {
  const values: number[] = [];
  for (let index = 0; index < dataset.size; index++) {
    const [input] = (await dataset.sample(index)).inputs;
    values.push(Buffer.from(input?.data ?? []).readFloatLE(0));
  }
  return values;
}

function labelsOf(dataset: Dataset): number[] | undefined {
  return dataset.labels && [...dataset.labels];
}

const open = (folder: string, options: Partial<OpenOptions> = {}) =>
  openDataset(folder, { signature, decode, ...options });

async function refused(attempt: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof SelvageError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('a folder of images', () => {
  it('gives its images by name, folders inside it too, and nothing else', async (t) => {
    const folder = folderOf(t, {
      'b.png': '2',
      'a.JPG': '1',
      'sub/deep/c.webp': '3',
      '.hidden.png': '9',
      'notes.txt': 'x',
    });
    symlinkSync(join(folder, 'a.JPG'), join(folder, 'z.jpeg'));
    symlinkSync(folder, join(folder, 'loop'));
    const dataset = await open(folder);
    assert.deepEqual(await valuesOf(dataset), [1, 2, 3, 1]);
    assert.equal(dataset.describe, `4 images in ${folder}`);
    assert.deepEqual(dataset.inputs, [{ name: 'x', datatype: 'FP32', shape: [1, 1] }]);
    assert.equal(dataset.labels, undefined);
  });

  it('takes folders named by class for labels', async (t) => {
    const folder = folderOf(t, { 'cat/a.png': '1', 'dog/a.png': '2', 'dog/b.png': '3' });
    assert.deepEqual(labelsOf(await open(folder, { classNames: ['dog', 'bird', 'cat'] })), [2, 0, 0]);
    assert.deepEqual(labelsOf(await open(folder, { classCount: 2 })), [0, 1, 1]);
    const numbered = folderOf(t, { '0/a.png': '1', '7/a.png': '2' });
    assert.deepEqual(labelsOf(await open(numbered, { classCount: 1001, labelOffset: 1 })), [1, 8]);
  });

  it('does not take other folders for labels, and says so', async (t) => {
    const folder = folderOf(t, { 'january/a.png': '1', 'march/a.png': '2' });
    const dataset = await open(folder, { classCount: 10 });
    assert.equal(dataset.labels, undefined);
    assert.match(dataset.warnings.join(), /2 folders inside are not the model's classes/);
  });

  it('has another fingerprint with another image, name or label', async (t) => {
    const prints = new Set<string>();
    for (const files of [
      { 'a.png': '1', 'b.png': '2' },
      { 'a.png': '1', 'b.png': '3' },
      { 'a.png': '1', 'c.png': '2' },
    ]) {
      const folder = folderOf(t, files);
      prints.add(await (await open(folder)).fingerprint());
      prints.add(await (await open(folder)).fingerprint());
    }
    const labels = labelsFile(t, 'l.txt', '0\n0\n');
    prints.add(await (await open(folderOf(t, { 'a.png': '1', 'b.png': '2' }), { labels })).fingerprint());
    assert.equal(prints.size, 4);
  });

  it('is refused where it is missing, empty, or cannot be decoded', async (t) => {
    await refused(open('/does/not/exist'), 'FILE_UNREADABLE', /no such file/);
    await refused(open(folderOf(t, { 'a.txt': '1' })), 'DATA_EMPTY', /no JPEG, PNG or WebP/);
    const folder = folderOf(t, { 'a.png': '1', 'b.png': 'broken', 'c.png': 'NaN', 'd.png': 'busy' });
    await refused(openDataset(folder, { signature }), 'DATA_INVALID', /give the model a task/);
    const dataset = await open(folder);
    await refused(dataset.sample(1), 'DATA_INVALID', /b\.png: .*broken/);
    await refused(dataset.sample(2), 'DATA_INVALID', /c\.png has NaN in input 'x'/);
    await refused(dataset.sample(3), 'MEDIA_BUSY', /3 inputs wait/);
    const other = { inputs: [{ name: 'y', datatype: 'FP32' as const, shape: [-1, 1] }], outputs: [] };
    await refused(
      openDataset(folder, { signature: other, decode }),
      'DATA_MISMATCH',
      /input 'x'; the model has 'y'/,
    );
  });
});

describe('a file of labels', () => {
  const files = { 'a.png': '1', 'b.png': '2', 'sub/c.png': '3' };
  const classNames = ['tench, Tinca', 'shark', 'target'];
  const good: Array<[what: string, name: string, text: string, expected: number[]]> = [
    ['one index a line', 'l.txt', '0\n2\n1\n', [0, 2, 1]],
    [
      'one name a line, with carriage returns and a byte order mark',
      'l.txt',
      '\ufeffshark\r\ntench, Tinca\r\ntarget',
      [1, 0, 2],
    ],
    ['file,label in any order', 'l.csv', 'b.png,2\nsub/c.png,1\na.png,0\n', [0, 2, 1]],
    ['a file by its own name', 'l.csv', 'c.png,1\na.png,0\nb.png,2', [0, 2, 1]],
    ['a class called as a header is', 'l.csv', 'a.png,target\nb.png,shark\nc.png,shark', [2, 1, 1]],
    [
      'a header, and quoted names with commas',
      'l.csv',
      'file,wnid,label,split\r\nc.png,n1,"tench, Tinca",x\r\nb.png,n2,shark,y\r\na.png,n3,2,z\r\nother.png,n4,0,z\r\n',
      [2, 1, 0],
    ],
    [
      'a header such as class_index_1000',
      'l.csv',
      'file,class_index_1000,name\na.png,0,x\nb.png,1,"a ""b"" c"\nc.png,2,z',
      [0, 1, 2],
    ],
    ['tabs', 'l.tsv', 'file\tlabel\na.png\tshark\nb.png\t"0\nc.png\t1'.replace('"', ''), [1, 0, 1]],
    ['one column with a header', 'l.csv', 'label\n2\n\n1\n0\n', [2, 1, 0]],
  ];
  for (const [what, name, text, expected] of good) {
    it(`with ${what} is read`, async (t) => {
      const dataset = await open(folderOf(t, files), {
        labels: labelsFile(t, name, text),
        classNames,
        classCount: 3,
      });
      assert.deepEqual(labelsOf(dataset), expected);
    });
  }

  it('adds the offset to numbers, not to names', async (t) => {
    const labels = labelsFile(t, 'l.txt', '0\n1\nshark');
    const dataset = await open(folderOf(t, files), { labels, classNames, classCount: 3, labelOffset: 1 });
    assert.deepEqual(labelsOf(dataset), [1, 2, 1]);
  });

  const bad: Array<[what: string, name: string, text: string, message: RegExp]> = [
    ['too few lines', 'l.txt', '0\n1\n', /2 labels for 3 samples/],
    [
      'an unknown name',
      'l.txt',
      '0\n1\nwhale',
      /label 3 is "whale", expected a class index or one of the 3 class names/,
    ],
    ['a negative index', 'l.txt', '0\n-1\n1', /label 2 is -1, expected 0 to 2/],
    [
      'an index out of range',
      'l.csv',
      'a.png,0\nb.png,3\nc.png,1',
      /the label of b\.png is 3, expected 0 to 2/,
    ],
    ['a file without label', 'l.csv', 'a.png,0\nb.png,1', /no label for 1 of 3 files, such as sub\/c\.png/],
    ['a row without label', 'l.csv', 'a.png,0\nb.png\nc.png,1', /the label of b\.png is nothing/],
    ['fractions', 'l.txt', '0.5\n1\n1', /"0\.5"/],
    ['an open quote', 'l.csv', 'file,label\na.png,"0\nb.png,1', /not closed/],
    ['bytes that are no text', 'l.txt', 'a\0b', /neither UTF-8 text/],
    ['nothing', 'l.txt', '', /0 labels for 3 samples/],
  ];
  for (const [what, name, text, message] of bad) {
    it(`with ${what} is refused`, async (t) => {
      const labels = labelsFile(t, name, text);
      await refused(
        open(folderOf(t, files), { labels, classNames, classCount: 3 }),
        'LABELS_INVALID',
        message,
      );
    });
  }

  it('that is missing, or a folder, is refused', async (t) => {
    const folder = folderOf(t, files);
    await refused(
      open(folder, { labels: join(folder, 'no.txt') }),
      'FILE_UNREADABLE',
      /no\.txt cannot be read/,
    );
    await refused(open(folder, { labels: folder }), 'LABELS_INVALID', /no regular file/);
  });

  it('cannot name files that two folders have', async (t) => {
    const folder = folderOf(t, { 'x/a.png': '1', 'y/a.png': '2' });
    await refused(
      open(folder, { labels: labelsFile(t, 'l.csv', 'a.png,0') }),
      'LABELS_INVALID',
      /no label for 2 of 2/,
    );
    const full = labelsFile(t, 'm.csv', 'y/a.png,1\n./x/a.png,0');
    assert.deepEqual(labelsOf(await open(folder, { labels: full })), [0, 1]);
  });
});
