/** Job: checks a model file and copies it into the store, where parsing and hashing hold nobody up. */
import { checkModel } from '../graph/check-model.ts';
import { externalFiles } from '../graph/external-data.ts';
import { readModel } from '../graph/read-model.ts';
import { summarize } from '../graph/summary.ts';
import { serveJob } from '../lib/child/job.ts';
import type { ImportJobInput, ImportJobOutput } from './import-source.ts';
import { importModelFile } from './model-files.ts';
import { signatureOf } from './signature-of.ts';
import { sourceFiles } from './source-file.ts';

await serveJob<ImportJobInput, ImportJobOutput>(async ({ model, source, stateDir }, report) => {
  report(0, 'reading the model');
  await sourceFiles(model, source, []); // Says which setting names a file that is not there.
  const loaded = await readModel(source);
  checkModel(loaded.model, { path: source });
  const summary = summarize(loaded);
  const signature = signatureOf(summary);
  const imported = await importModelFile({
    model,
    source,
    stateDir,
    externalFiles: externalFiles(loaded.model),
    onProgress: (fraction) => report(fraction, 'copying into the store'),
  });
  return { imported, signature, summary };
});
