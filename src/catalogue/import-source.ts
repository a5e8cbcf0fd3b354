import { existsSync } from 'node:fs';
import type { ModelSummary } from '../graph/summary.ts';
import { runJob } from '../lib/child/job.ts';
import type { JobRegistry } from '../lib/child/job-registry.ts';
import type { Clock } from '../lib/clock.ts';
import { SelvageError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { StateStore } from '../store/state-store.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import type { ImportedModel } from './model-files.ts';
import { modelFilePath } from './model-path.ts';

const IMPORT_JOB = new URL('./import-job.js', import.meta.url);

/** What an import works with. */
export interface ImportContext {
  readonly stateDir: string;
  readonly store: StateStore;
  readonly jobs: JobRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the import job is asked. */
export interface ImportJobInput {
  readonly model: string;
  readonly source: string;
  readonly stateDir: string;
}

/** What the import job answers. */
export interface ImportJobOutput {
  readonly imported: ImportedModel;
  readonly signature: ModelSignature;
  readonly summary: ModelSummary;
}

/** A model file that can be served: its content's hash, and where the content lies. */
export interface StoredSource {
  /** Undefined where it is served from where it lies, because the store cannot take it. */
  readonly hash: string | undefined;
  readonly path: string;
}

/**
 * Makes sure that the store holds what a source file holds. A source that has not changed since its last import is
 * not read again. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_UNSUPPORTED, CANCELLED or JOB_DIED.
 */
export async function importSource(
  context: ImportContext,
  model: string,
  source: string,
  signal: AbortSignal,
): Promise<StoredSource> {
  const { store, stateDir, jobs, clock, log } = context;
  const known = await store.sources.unchangedHash(source);
  if (known !== undefined && existsSync(modelFilePath(stateDir, known))) {
    return { hash: known, path: modelFilePath(stateDir, known) };
  }
  const checkedAt = clock.now();
  try {
    const input: ImportJobInput = { model, source, stateDir };
    const { imported, signature, summary } = await jobs.run('import', model, signal, (handle) =>
      runJob<ImportJobInput, ImportJobOutput>(IMPORT_JOB, input, {
        ...handle,
        onStderr: (line) => log.warn({ model, line }, 'import wrote to standard error'),
      }),
    );
    const { hash, path, sizeBytes, externalFiles, files } = imported;
    store.transaction(() => {
      const row = {
        hash,
        sizeBytes,
        importedAt: checkedAt,
        signature,
        summary: { ...summary },
        externalFiles,
      };
      store.models.put(row);
      store.sources.remember({ path: source, hash, files, checkedAt });
    });
    log.info({ model, source, hash, sizeBytes, copied: imported.copied }, 'model imported');
    return { hash, path };
  } catch (error) {
    if (!(error instanceof SelvageError) || error.code !== 'STATE_UNAVAILABLE') throw error;
    // The file has been checked; what failed is the copy. Serving it from where it lies beats not serving it.
    log.warn(
      { model, source, err: error },
      'the model is served from its source, since the store cannot take it',
    );
    return { hash: undefined, path: source };
  }
}
