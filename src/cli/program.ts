import { Command, type CommanderError } from 'commander';
import { suggest } from '../config/suggest.ts';
import { SelvageError } from '../lib/errors.ts';
import { packageVersion } from '../lib/version.ts';
import { commandLine, commandTree } from './command-tree.ts';
import { registerCompletion } from './completion.ts';
import { registerCompress } from './compress.ts';
import { registerConfig } from './config.ts';
import { registerDemo } from './demo.ts';
import { registerDoctor } from './doctor.ts';
import { registerInfer } from './infer.ts';
import { registerInspect } from './inspect.ts';
import { registerJobs } from './jobs.ts';
import { registerModels } from './models.ts';
import { print } from './output.ts';
import { registerProbe } from './probe.ts';
import { registerReload } from './reload.ts';
import { registerServe } from './serve.ts';
import { registerService } from './service.ts';
import { registerStatus } from './status.ts';

const EXAMPLES = `
Examples:
  $ selvage serve --config ./selvage.yaml
  $ selvage infer clothes photo.jpg
  $ selvage probe

Errors, their exit codes and what to do: docs/errors.md`;

/**
 * The command line with all commands. Parsing a wrong one throws USAGE; help and version, once printed, throw a
 * CommanderError, of exit code 1 where help stands in for a command that is missing.
 */
export function createProgram(): Command {
  const program = new Command('selvage')
    .description('Serves ONNX models on this machine over a Unix socket, in the Open Inference Protocol.')
    .version(packageVersion)
    .addHelpText('after', EXAMPLES)
    // The error is thrown, and shown where it is caught.
    .configureOutput({ writeOut: print, outputError: () => undefined });
  registerServe(program);
  registerDemo(program);
  registerInfer(program);
  registerModels(program);
  registerStatus(program);
  registerJobs(program);
  registerReload(program);
  registerProbe(program);
  registerDoctor(program);
  registerInspect(program);
  registerCompress(program);
  registerConfig(program);
  registerService(program);
  registerCompletion(program);
  for (const command of commandTree(program)) {
    // Commander takes settings over for commands made from then on only.
    if (command.parent !== null) command.copyInheritedSettings(command.parent);
    command.exitOverride((exit) => {
      throw isUsageError(exit) ? usageError(exit, command) : exit;
    });
  }
  return program;
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
