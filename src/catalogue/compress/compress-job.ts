/** Job: makes the forms of a model, measures and gates them; see `run-compress.ts`. */
import { serveJob } from '../../lib/child/job.ts';
import { compressModel } from './compress-model.ts';
import type { CompressRequest, CompressResult } from './job-messages.ts';

await serveJob<CompressRequest, CompressResult>(compressModel);
