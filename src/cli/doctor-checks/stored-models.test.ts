import assert from 'node:assert/strict';
import { appendFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { importModelFile } from '../../catalogue/model-files.ts';
import { packageRoot } from '../../lib/paths.ts';
import { checkModelsIn } from './stored-models.ts';

describe('checkModelsIn', () => {
  it('says nothing of an empty store, and tells intact models from damaged ones', async (t) => {
    const stateDir = temporaryDirectory(t);
    assert.deepEqual(await checkModelsIn(stateDir), []);
    const source = join(packageRoot, 'examples/models/fashion-mnist-dscnn.onnx');
    const { path } = await importModelFile({ model: 'clothes', source, stateDir });
    const [intact] = await checkModelsIn(stateDir);
    assert.equal(intact?.status, 'ok');
    chmodSync(path, 0o600);
    appendFileSync(path, 'x');
    const [damaged] = await checkModelsIn(stateDir);
    assert.equal(damaged?.status, 'failed');
    assert.match(damaged?.advice ?? '', /restart the agent/);
  });
});
