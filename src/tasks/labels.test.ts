import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withCode } from '../../test/contract/task-contract.ts';
import { labelsByIndex, readLabels } from './labels.ts';
import { misfitOf } from './misfit.ts';

const misfit = misfitOf('m');

describe('readLabels', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'selvage-labels-'));
  });
  after(() => rm(directory, { recursive: true }));

  async function read(content: string | Uint8Array): Promise<readonly string[]> {
    const path = join(directory, 'labels.txt');
    await writeFile(path, content);
    return readLabels(path, misfit);
  }

  it('takes a list as it is', async () => {
    assert.deepEqual(await readLabels(['a', ''], misfit), ['a', '']);
  });

  it('reads one label a line, however the file was written', async () => {
    assert.deepEqual(await read('T-shirt\nÜberzug\n'), ['T-shirt', 'Überzug']);
    assert.deepEqual(await read('\ufeffa\r\n b \r\n\r\nc\r\n\r\n'), ['a', 'b', '', 'c']);
    assert.deepEqual(await read('one'), ['one']);
  });

  it('says why a file cannot be read', async () => {
    const fails = async (path: string, says: string) =>
      assert.rejects(readLabels(path, misfit), withCode('TASK_MISFIT', says));
    await fails(join(directory, 'none.txt'), 'ENOENT');
    await fails(directory, 'not a regular file');
    await assert.rejects(read('\n\n'), withCode('TASK_MISFIT', 'is empty'));
    await assert.rejects(
      read(Uint8Array.of(0x61, 0xff, 0xfe)),
      withCode('TASK_MISFIT', 'labels.txt cannot be read'),
    );
    const huge = join(directory, 'huge.txt');
    await writeFile(huge, 'a\n');
    await truncate(huge, 1024 * 1024 + 1);
    await fails(huge, 'over the limit of 1048576');
  });
});

describe('labelsByIndex', () => {
  it('shifts by the offset and numbers what has no name', () => {
    assert.deepEqual(labelsByIndex(['a', 'b'], 0, 2, misfit), ['a', 'b']);
    assert.deepEqual(labelsByIndex(['a', 'b'], -1, 3, misfit), ['0', 'a', 'b']);
    assert.deepEqual(labelsByIndex(['background', 'a', 'b'], 1, 2, misfit), ['a', 'b']);
    assert.deepEqual(labelsByIndex(['a', 'b'], 0, undefined, misfit), ['a', 'b']);
    assert.deepEqual(labelsByIndex(['a', 'b'], -1, undefined, misfit), ['0', 'a', 'b']);
  });

  it('names both counts where they differ', () => {
    const cases: [labels: number, offset: number, classes: number | undefined, says: string][] = [
      [
        1000,
        0,
        1001,
        '1000 labels for 1001 classes with labelOffset 0: expected 1001 labels, or labelOffset -1',
      ],
      [11, 0, 10, '11 labels for 10 classes with labelOffset 0: expected 10 labels, or labelOffset 1'],
      [10, -1, 10, 'expected 9 labels, or labelOffset 0'],
      [2, 5, undefined, '2 labels'],
    ];
    for (const [count, offset, classes, says] of cases) {
      const labels = new Array<string>(count).fill('x');
      assert.throws(() => labelsByIndex(labels, offset, classes, misfit), withCode('TASK_MISFIT', says));
    }
  });
});
