import { Command, type CommanderError } from 'commander';
import { suggest } from '../config/suggest.ts';
import { SelvageError } from '../lib/errors.ts';
import { packageVersion } from '../lib/version.ts';
import { commandLine, commandTree } from './command-tree.ts';
import { print } from './output.ts';

const EXAMPLES = `
Examples:
  $ selvage serve --config ./selvage.yaml
  $ selvage infer clothes photo.jpg
  $ selvage probe

Errors, their exit codes and what to do: docs/errors.md`;

/** What adds each command, in the order of the help. */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.ts')).registerServe,
  demo: async () => (await import('./demo.ts')).registerDemo,
  infer: async () => (await import('./infer.ts')).registerInfer,
  models: async () => (await import('./models.ts')).registerModels,
  status: async () => (await import('./status.ts')).registerStatus,
  jobs: async () => (await import('./jobs.ts')).registerJobs,
  reload: async () => (await import('./reload.ts')).registerReload,
  probe: async () => (await import('./probe.ts')).registerProbe,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  inspect: async () => (await import('./inspect.ts')).registerInspect,
  compress: async () => (await import('./compress.ts')).registerCompress,
  config: async () => (await import('./config.ts')).registerConfig,
  service: async () => (await import('./service.ts')).registerService,
  completion: async () => (await import('./completion.ts')).registerCompletion,
};

/**
 * The command line with all commands or, where `wanted` names one, with that one alone, so that an agent starts
 * without reading the code of all others. Parsing a wrong command line throws USAGE; help and version, once printed,
 * throw a CommanderError, of exit code 1 where help stands in for a command that is missing.
 */
export async function createProgram(wanted = ''): Promise<Command> {
  const program = new Command('selvage')
    .description('Serves ONNX models on this machine over a Unix socket, in the Open Inference Protocol.')
    .version(packageVersion)
    .addHelpText('after', EXAMPLES)
    // The error is thrown, and shown where it is caught.
    .configureOutput({ writeOut: print, outputError: () => undefined });
  for (const load of loadersFor(wanted)) (await load())(program);
  for (const command of commandTree(program)) {
    // Commander takes settings over for commands made from then on only.
    if (command.parent !== null) command.copyInheritedSettings(command.parent);
    command.exitOverride((exit) => {
      throw isUsageError(exit) ? usageError(exit, command) : exit;
    });
  }
  return program;
}

function loadersFor(wanted: string) {
  const one = Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  // The completion of all commands needs all commands.
  return one === undefined || wanted === 'completion' ? Object.values(COMMANDS) : [one];
}

/** Commander exits for help and version too. */
function isUsageError({ exitCode, code }: CommanderError): boolean {
  return exitCode !== 0 && code !== 'commander.help';
}

function usageError(exit: CommanderError, command: Command): SelvageError {
  const wrong = wrongSubcommand(exit, command);
  const message = wrong ?? exit.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  const asked = wrong === undefined ? command : (command.parent ?? command);
  return SelvageError.revive({ code: 'USAGE', message, hint: `See \`${commandLine(asked)} --help\`.` });
}

/** `models laod` runs `models list` with an argument it does not take; what was meant is another command. */
function wrongSubcommand({ code }: CommanderError, { args, parent }: Command): string | undefined {
  const [wrong] = args;
  if (code !== 'commander.excessArguments' || wrong === undefined || parent === null) return undefined;
  const siblings = parent.commands.map((sibling) => sibling.name());
  const meant = suggest(wrong, siblings);
  return meant && `unknown command '${wrong}' (Did you mean ${meant}?)`;
}
