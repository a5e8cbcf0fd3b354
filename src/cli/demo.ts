import type { Command } from 'commander';

const EXAMPLES = `
Examples:
  $ selvage demo                 serves the example model until Ctrl-C
  $ selvage demo --once          answers the sample images and ends`;

/** Adds `selvage demo`. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('serve the small example model, classify its sample images, and print what to try')
    .option('--dir <directory>', 'where the demo keeps its configuration, state and sockets', '.selvage')
    .option('--once', 'end after the sample images')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { dir: string; once?: true }) => {
      const { runDemo } = await import('./run-demo.ts');
      await runDemo(options);
    });
}
