import type { Command } from 'commander';
import type { AgentStatus } from '../serving/service.ts';
import { adminSocket } from './agent-sockets.ts';
import { formatBytes } from './format-bytes.ts';
import { modelsTable } from './models.ts';
import { printJson, printLines } from './output.ts';

const EXAMPLES = `
Examples:
  $ selvage status
  $ selvage status --json | jq .ready
`;

/** Adds `selvage status`. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the running agent: version, memory, where it listens, its models')
    .option('--socket <path>', 'administration socket of the agent', adminSocket())
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ socket, json }: { socket: string; json?: boolean }) => {
      const { agentRequest } = await import('./agent-client.ts');
      const status = (await agentRequest(socket, 'GET', '/status')).json as AgentStatus;
      if (json) printJson(status);
      else printLines(...statusText(status));
    });
}

/** The status as lines for people. */
export function statusText(status: AgentStatus): string[] {
  const [first = '', ...others] = status.listeners;
  const lines = [
    `selvage ${status.version}, process ${status.pid}, ${status.ready ? 'ready' : 'not ready'}`,
    `up         ${formatDuration(status.uptimeSeconds)}`,
    `memory     ${formatBytes(status.rssBytes)} (without the models' processes)`,
    `config     ${status.configPath}`,
    `state      ${status.stateDir}`,
    `listening  ${first}`,
    ...others.map((listener) => `           ${listener}`),
  ];
  return status.models.length === 0 ? lines : [...lines, '', modelsTable(status.models)];
}

/** A duration for people, in its two largest units, such as `3 d 4 h` or `12 s`. */
function formatDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const;
  const from = parts.findIndex(([count]) => count > 0);
  if (from < 0) return '0 s';
  return parts
    .slice(from, from + 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
