import type { Command } from 'commander';
import type { ModelStatus } from '../serving/service.ts';
import { adminSocket } from './agent-sockets.ts';
import { formatBytes } from './format-bytes.ts';
import { formatTable, printJson, printLines } from './output.ts';

interface AgentOptions {
  readonly socket: string;
  readonly json?: boolean;
}

/** A model has the time its configuration gives it; this only ends a wait for an agent that hangs. */
const LOAD_TIMEOUT_MS = 3_900_000;

const EXAMPLES = `
Examples:
  $ selvage models
  $ selvage models --json | jq '.[] | select(.state != "ready")'
  $ selvage models unload clothes
`;

const LIST_EXAMPLE = `
Example:
  $ selvage models list --json | jq -r '.[] | select(.state != "ready") | .name'
`;

/** Adds `selvage models [list | load | unload]`. */
export function registerModels(program: Command): void {
  const models = program
    .command('models')
    .description('show, load and unload the models of the running agent')
    .addHelpText('after', EXAMPLES);
  models
    .command('list', { isDefault: true })
    .description('show the models with their state, process and memory')
    .option('--socket <path>', 'administration socket of the agent', adminSocket())
    .option('--json', 'print JSON')
    .addHelpText('after', LIST_EXAMPLE)
    .action(listModels);
  for (const action of ['load', 'unload'] as const) {
    models
      .command(`${action} <model>`)
      .description(`${action} a model of the configuration and wait until that is done`)
      .option('--socket <path>', 'administration socket of the agent', adminSocket())
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  $ selvage models ${action} clothes`)
      .action((model: string, options: AgentOptions) => change(action, model, options));
  }
}

/** The models as a table for people. */
export function modelsTable(models: readonly ModelStatus[]): string {
  return formatTable(models, [
    { title: 'MODEL', value: ({ name }) => name },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'VARIANT', value: ({ variant }) => variant },
    { title: 'PID', value: ({ pid }) => pid, align: 'right' },
    {
      title: 'MEMORY',
      value: ({ rssBytes }) => (rssBytes === undefined ? undefined : formatBytes(rssBytes)),
      align: 'right',
    },
    { title: 'RESTARTS', value: ({ restarts }) => restarts, align: 'right' },
    {
      title: 'REQUESTS',
      value: ({ statistics: { success, fail } }) => success.count + fail.count,
      align: 'right',
    },
    { title: 'QUEUED', value: ({ queued }) => queued, align: 'right' },
    { title: 'REASON', value: ({ reason }) => reason },
  ]);
}

async function listModels({ socket, json }: AgentOptions): Promise<void> {
  const { agentRequest } = await import('./agent-client.ts');
  const answer = await agentRequest(socket, 'GET', '/models');
  const { models } = answer.json as { models: ModelStatus[] };
  if (json) printJson(models);
  else if (models.length === 0) printLines('The configuration names no models.');
  else printLines(modelsTable(models));
}

async function change(
  action: 'load' | 'unload',
  model: string,
  { socket, json }: AgentOptions,
): Promise<void> {
  const { agentRequest } = await import('./agent-client.ts');
  const path = `/v2/repository/models/${encodeURIComponent(model)}/${action}`;
  await agentRequest(socket, 'POST', path, '', { timeoutMs: LOAD_TIMEOUT_MS, model });
  if (json) printJson({ model, action });
  else printLines(`model '${model}' is ${action}ed`);
}
