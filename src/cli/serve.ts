import type { Command } from 'commander';
import { configPath } from '../config/paths.ts';

const EXAMPLES = `
Examples:
  $ selvage serve --config ./selvage.yaml
  $ kill -HUP PID        reads the configuration again
  $ kill -TERM PID       finishes requests under way and stops`;

/** Adds `selvage serve`. */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('run the agent in the foreground')
    .option('-c, --config <file>', 'configuration file', configPath())
    .addHelpText('after', EXAMPLES)
    .action(async ({ config }: { config: string }) => {
      const { serve } = await import('./run-agent.ts');
      await serve(config);
    });
}
