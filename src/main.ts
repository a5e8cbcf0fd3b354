import { Command, CommanderError } from 'commander';
import { registerConfig } from './cli/config.ts';
import { registerDemo } from './cli/demo.ts';
import { registerDoctor } from './cli/doctor.ts';
import { registerInfer } from './cli/infer.ts';
import { registerInspect } from './cli/inspect.ts';
import { registerJobs } from './cli/jobs.ts';
import { registerModels } from './cli/models.ts';
import { registerProbe } from './cli/probe.ts';
import { registerReload } from './cli/reload.ts';
import { registerServe } from './cli/serve.ts';
import { registerService } from './cli/service.ts';
import { registerStatus } from './cli/status.ts';
import { ERROR_TABLE, toSelvageError } from './lib/errors.ts';
import { packageVersion } from './lib/version.ts';

const EXAMPLES = `
Examples:
  $ selvage serve --config ./selvage.yaml
  $ selvage infer clothes photo.jpg
  $ selvage probe

Errors, their exit codes and what to do: docs/errors.md`;

/** Bin: the command line to the command; an error becomes a message, a hint and the exit code of the error table. */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('selvage')
    .description('Serves ONNX models on this machine over a Unix socket, in the Open Inference Protocol.')
    .version(packageVersion)
    .addHelpText('after', EXAMPLES)
    .exitOverride();
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
  registerConfig(program);
  registerService(program);
  for (const command of program.commands) inheritSettings(command, program);
  await program.parseAsync([...argv]);
}

/** Commander takes settings over for commands made from then on only. */
function inheritSettings(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheritSettings(child, command);
}

function render(thrown: unknown): number {
  // Commander has written its own message by then; help and version are no errors.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : ERROR_TABLE.USAGE.exit;
  const error = toSelvageError(thrown);
  if (process.argv.includes('--json')) process.stderr.write(`${JSON.stringify({ error })}\n`);
  else process.stderr.write(`selvage: ${error.message}\n  ${error.hint}\n`);
  if (error.code === 'INTERNAL' && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`);
  return error.exitCode;
}

main(process.argv).catch((error: unknown) => {
  process.exitCode = render(error);
});
