import type { Command } from 'commander';
import type { JobStatus } from '../lib/child/job-registry.ts';
import { adminSocket } from './agent-sockets.ts';
import { formatTable, printJson, printLines } from './output.ts';

interface AgentOptions {
  readonly socket: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ selvage jobs
  $ selvage jobs cancel 3
`;

const LIST_EXAMPLE = `
Example:
  $ selvage jobs list --json | jq '.[] | select(.state == "failed")'
`;

/** Adds `selvage jobs [list | cancel]`. */
export function registerJobs(program: Command): void {
  const jobs = program
    .command('jobs')
    .description('show and cancel what the running agent does besides serving')
    .addHelpText('after', EXAMPLES);
  jobs
    .command('list', { isDefault: true })
    .description('show the jobs that run or ended lately')
    .option('--socket <path>', 'administration socket of the agent', adminSocket())
    .option('--json', 'print JSON')
    .addHelpText('after', LIST_EXAMPLE)
    .action(listJobs);
  jobs
    .command('cancel <job>')
    .description('cancel a job that is running')
    .option('--socket <path>', 'administration socket of the agent', adminSocket())
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ selvage jobs cancel 3')
    .action(cancelJob);
}

/** Jobs as a table for people. */
export function jobsTable(jobs: readonly JobStatus[]): string {
  return formatTable(jobs, [
    { title: 'JOB', value: ({ id }) => id },
    { title: 'KIND', value: ({ kind }) => kind },
    { title: 'SUBJECT', value: ({ subject }) => subject },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'DONE', value: ({ progress }) => `${Math.floor(progress * 100)} %`, align: 'right' },
    { title: 'STARTED', value: ({ startedAt }) => new Date(startedAt).toISOString() },
    { title: 'MESSAGE', value: ({ message }) => message },
  ]);
}

async function listJobs({ socket, json }: AgentOptions): Promise<void> {
  const { agentRequest } = await import('./agent-client.ts');
  const { jobs } = (await agentRequest(socket, 'GET', '/jobs')).json as { jobs: JobStatus[] };
  if (json) printJson(jobs);
  else printLines(jobs.length === 0 ? 'No job is running or ended lately.' : jobsTable(jobs));
}

async function cancelJob(job: string, { socket, json }: AgentOptions): Promise<void> {
  const { agentRequest } = await import('./agent-client.ts');
  await agentRequest(socket, 'POST', `/jobs/${encodeURIComponent(job)}/cancel`, '');
  if (json) printJson({ job, action: 'cancel' });
  else printLines(`job '${job}' is cancelled`);
}
