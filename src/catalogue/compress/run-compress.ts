import { join } from 'node:path';
import { type JobOptions, runJob } from '../../lib/child/job.ts';
import type { CompressRequest, CompressResult } from './job-messages.ts';
import { removeTemporary, WORK_FOLDER } from './work-folder.ts';

const COMPRESS_JOB = new URL('./compress-job.js', import.meta.url);

/**
 * Makes the best forms of a model in a job process of its own and measures them; resolves when the variants and their
 * manifest are written, also where none is better than the model. Throws what reading model, data and labels throws
 * (MODEL_…, DATA_…, LABELS_INVALID, TASK_MISFIT), FILE_UNWRITABLE, CANCELLED or JOB_DIED. A job that was killed or
 * cancelled leaves whole files only; started again with the same request, it goes on where it was.
 */
export async function runCompress(
  request: CompressRequest,
  options: JobOptions = {},
): Promise<CompressResult> {
  try {
    return await runJob<CompressRequest, CompressResult>(COMPRESS_JOB, request, options);
  } catch (error) {
    // The job had no time to do it where it was killed.
    for (const folder of [request.out, join(request.out, WORK_FOLDER)]) {
      await removeTemporary(folder).catch(() => undefined);
    }
    throw error;
  }
}
