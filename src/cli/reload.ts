import type { Command } from 'commander';
import type { ReloadReport } from '../serving/service.ts';
import { adminSocket } from './agent-sockets.ts';
import { printJson, printLines } from './output.ts';

const TITLES = {
  added: 'added',
  changed: 'changed',
  removed: 'removed',
  unchanged: 'unchanged',
  needRestart: 'take effect at the next start',
} as const;

const EXAMPLES = `
Example:
  $ selvage config check && selvage reload
`;

const TIMEOUT_MS = 600_000;

/** Adds `selvage reload`. */
export function registerReload(program: Command): void {
  program
    .command('reload')
    .description('make the running agent read its configuration again: all of it applies, or none')
    .option('--socket <path>', 'administration socket of the agent', adminSocket())
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ socket, json }: { socket: string; json?: boolean }) => {
      const { agentRequest } = await import('./agent-client.ts');
      const answer = await agentRequest(socket, 'POST', '/config/reload', '', { timeoutMs: TIMEOUT_MS });
      const report = answer.json as ReloadReport;
      if (json) printJson(report);
      else printLines(...reloadText(report));
    });
}

/** What a reload did, as lines for people. */
export function reloadText(report: ReloadReport): string[] {
  const keys = Object.keys(TITLES) as (keyof typeof TITLES)[];
  const lines = keys
    .filter((key) => report[key].length > 0)
    .map((key) => `${TITLES[key]}: ${report[key].join(', ')}`);
  return ['The configuration was applied.', ...lines];
}
