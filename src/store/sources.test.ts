import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { type FileIdentity, fileIdentity, identityKey } from '../lib/file-identity.ts';
import { seededRandom } from '../lib/random.ts';
import { StateStore } from './state-store.ts';

const hash = 'c'.repeat(64);
/** As if the files were read long after they were written. */
const LATER_MS = 60_000;

function storeWithModel(t: TestContext): StateStore {
  const store = StateStore.inMemory();
  t.after(() => store.close());
  const signature = { inputs: [], outputs: [] };
  store.models.put({ hash, sizeBytes: 1, importedAt: 0, signature, summary: {}, externalFiles: [] });
  return store;
}

async function identities(...paths: string[]): Promise<FileIdentity[]> {
  const found = await Promise.all(paths.map(fileIdentity));
  return found.map((one) => one ?? assert.fail('no such file'));
}

describe('sources', () => {
  const changes: ReadonlyArray<readonly [string, (path: string) => void]> = [
    ['grew', (path) => appendFileSync(path, 'x')],
    ['was written again in the same length', (path) => writeFileSync(path, 'MODEL')],
    [
      'was written with its old time',
      (path) => {
        writeFileSync(path, 'MODEL');
        utimesSync(path, 1, 1);
      },
    ],
    [
      'was replaced by a copy',
      (path) => {
        copyFileSync(path, `${path}.new`);
        renameSync(`${path}.new`, path);
      },
    ],
    ['is gone', (path) => rmSync(path)],
  ];
  for (const [what, change] of changes) {
    for (const changed of ['model.onnx', 'weights.bin']) {
      it(`does not trust a source whose ${changed} ${what}`, async (t) => {
        const { sources } = storeWithModel(t);
        const directory = temporaryDirectory(t);
        const paths = ['model.onnx', 'weights.bin'].map((name) => join(directory, name));
        for (const path of paths) {
          writeFileSync(path, 'model');
          utimesSync(path, 1, 1);
        }
        const [path = ''] = paths;
        const files = await identities(...paths);
        sources.remember({ path, hash, files, checkedAt: Date.now() + LATER_MS });
        assert.equal(await sources.unchangedHash(path), hash);
        change(join(directory, changed));
        assert.equal(await sources.unchangedHash(path), undefined);
      });
    }
  }

  it('does not trust a file that changed just before it was read, but knows what it holds', async (t) => {
    const { sources } = storeWithModel(t);
    const path = join(temporaryDirectory(t), 'model.onnx');
    writeFileSync(path, 'model');
    sources.remember({ path, hash, files: await identities(path), checkedAt: Date.now() });
    assert.equal(await sources.unchangedHash(path), undefined);
    assert.deepEqual(
      sources.list().map((row) => row.hash),
      [hash],
    );
  });

  it('gives back what it remembers', async (t) => {
    const { sources } = storeWithModel(t);
    const path = join(temporaryDirectory(t), 'model.onnx');
    writeFileSync(path, 'model');
    const row = { path, hash, files: await identities(path), checkedAt: Date.now() + LATER_MS };
    sources.remember(row);
    assert.deepEqual(sources.list(), [row]);
    sources.forget(path);
    assert.deepEqual(sources.list(), []);
  });
});

describe('identityKey', () => {
  it('is equal exactly for equal identities', () => {
    const random = seededRandom(20);
    const pick = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(random() * values.length)] as Value;
    // Few values, among them some that run into one another when they are only joined.
    const texts = ['', '0', '1', '10', '11', '18446744073709551615'];
    const identity = (): FileIdentity => ({
      path: pick(['/m', '/m,1', '/m"', '/m","1', '/m\n', '/ü']),
      sizeBytes: pick([0, 1, 10, 11, 2 ** 40]),
      mtimeNs: pick(texts),
      ctimeNs: pick(texts),
      inode: pick(texts),
      device: pick(texts),
    });
    for (let round = 0; round < 5000; round += 1) {
      const one = identity();
      const other = pick([
        identity(),
        { ...one },
        { ...one, [pick(['inode', 'device', 'mtimeNs'])]: pick(texts) },
      ]);
      const fields = Object.keys(one) as (keyof FileIdentity)[];
      const equal = fields.every((field) => one[field] === other[field]);
      assert.equal(identityKey(one) === identityKey(other), equal, JSON.stringify([one, other]));
    }
  });
});
