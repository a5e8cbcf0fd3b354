/** Imports a model and stands still half-way through writing it. */
import { writeSync } from 'node:fs';
import { importModelFile } from '../../src/catalogue/model-files.ts';

const [source = '', stateDir = ''] = process.argv.slice(2);
await importModelFile({
  model: 'm',
  source,
  stateDir,
  onProgress: (fraction) => {
    if (fraction < 0.75) return;
    writeSync(1, 'half-way\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
