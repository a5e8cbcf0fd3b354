import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { setAside } from './set-aside.ts';

describe('setAside', () => {
  it('moves the file with its write-ahead log and keeps the two newest copies', (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'state.db');
    writeFileSync(join(directory, 'requests.db'), 'another');
    const moved = [1, 2, 3].map((round) => {
      for (const suffix of ['', '-wal', '-shm']) writeFileSync(path + suffix, `${round}${suffix}`);
      return setAside(path, Date.UTC(2030, 0, round));
    });
    assert.equal(moved[2], `${path}.corrupt-2030-01-03T00-00-00-000Z`);
    assert.equal(readFileSync(`${moved[2]}-wal`, 'utf8'), '3-wal');
    const day = (name: string): string => /corrupt-2030-01-(\d\d)/.exec(name)?.[1] ?? name;
    assert.deepEqual(readdirSync(directory).map(day).sort(), [
      '02',
      '02',
      '02',
      '03',
      '03',
      '03',
      'requests.db',
    ]);
  });
});
