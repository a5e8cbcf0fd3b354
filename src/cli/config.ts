import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { configPath, credentialsDir } from '../config/paths.ts';
import { printJson, printLines } from './output.ts';

interface FileOptions {
  readonly config: string;
  readonly json: boolean | undefined;
}

const CHECK_EXAMPLES = `
Examples:
  $ selvage config check
  $ selvage config check --config ./selvage.yaml && systemctl reload selvage
`;

const SHOW_EXAMPLES = `
Examples:
  $ selvage config show
  $ selvage config show --json | jq .models
`;

const SCHEMA_EXAMPLES = `
Example, for an editor that knows JSON Schema:
  $ selvage config schema > selvage.schema.json
  and as the first line of selvage.yaml:
  # yaml-language-server: $schema=selvage.schema.json
`;

/** Adds `selvage config check | show | schema`. */
export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .description('check and show the configuration')
    .addHelpText('after', CHECK_EXAMPLES);
  config
    .command('check')
    .description('check the configuration and name every problem with its file, line and column')
    .option('-c, --config <file>', 'configuration file', configPath())
    .option('--json', 'print JSON')
    .addHelpText('after', CHECK_EXAMPLES)
    .action(checkConfig);
  config
    .command('show')
    .description('show the configuration in effect, with defaults; secrets show as their references')
    .option('-c, --config <file>', 'configuration file', configPath())
    .option('--json', 'print JSON')
    .addHelpText('after', SHOW_EXAMPLES)
    .action(showConfig);
  config
    .command('schema')
    .description('print the JSON schema of the configuration')
    .addHelpText('after', SCHEMA_EXAMPLES)
    .action(printSchema);
}

async function checkConfig(options: FileOptions): Promise<void> {
  const { config, files } = await load(options.config);
  const models = Object.keys(config.models);
  if (options.json) printJson({ valid: true, files, models });
  else
    printLines(`${options.config}: valid (${count(files.length, 'file')}, ${count(models.length, 'model')})`);
}

async function showConfig(options: FileOptions): Promise<void> {
  const { shown, files } = await load(options.config);
  if (options.json) {
    printJson(shown);
    return;
  }
  const { stringify } = await import('yaml');
  const comments = files.map((file) => `# from ${file}`);
  printLines(...comments, stringify(shown, { lineWidth: 0 }).trimEnd());
}

async function printSchema(): Promise<void> {
  const { configJsonSchema } = await import('../config/json-schema.ts');
  printJson(configJsonSchema());
}

async function load(path: string): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.ts');
  return loadConfig(path, { credentialsDir: credentialsDir() });
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
