/** Job: reads a cron expression; node-cron and the time zones it loads would keep 9 MB of the agent's memory. */
import { serveJob } from './child/job.ts';
import { nextRuns } from './next-runs.ts';

await serveJob(async ({ expression }: { expression: string }) => nextRuns(expression));
