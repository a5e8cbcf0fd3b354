import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeFileAtomic } from './atomic-file.ts';
import { SelvageError } from './errors.ts';

describe('writeFileAtomic', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-atomic-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('writes all chunks, replaces what was there and leaves no temporary file', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'old');
    const size = await writeFileAtomic(path, [Buffer.from('new '), Buffer.alloc(0), Buffer.from('file')], {
      mode: 0o600,
    });
    assert.equal(size, 8);
    assert.equal(await readFile(path, 'utf8'), 'new file');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ['file']);
  });

  it('keeps the old file when the chunks end in an error', async () => {
    const path = join(folder, 'kept');
    await writeFile(path, 'old');
    async function* failing() {
      yield Buffer.from('half');
      throw new Error('the source broke');
    }
    await assert.rejects(
      writeFileAtomic(path, failing()),
      (thrown) =>
        thrown instanceof SelvageError && thrown.code === 'FILE_UNWRITABLE' && /broke/.test(thrown.message),
    );
    assert.equal(await readFile(path, 'utf8'), 'old');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('.')),
      [],
    );
  });

  it('says why where the folder is missing or the path is a folder', async () => {
    const missing = join(folder, 'nowhere', 'file');
    await assert.rejects(writeFileAtomic(missing, []), {
      code: 'FILE_UNWRITABLE',
      message: /nowhere.*ENOENT/,
    });
    const taken = join(folder, 'taken');
    await mkdir(taken);
    await assert.rejects(writeFileAtomic(taken, [Buffer.from('x')]), { code: 'FILE_UNWRITABLE' });
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('.')),
      [],
    );
  });
});
