import { CommanderError } from 'commander';
import { createProgram } from './cli/program.ts';
import { ERROR_TABLE, toSelvageError } from './lib/errors.ts';

/** Shows an error as a message and a hint, or as JSON; returns the exit code of the error table. */
function render(thrown: unknown): number {
  // Help and version are no errors, unless help stands in for a command that is missing.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : ERROR_TABLE.USAGE.exit;
  const error = toSelvageError(thrown);
  if (process.argv.includes('--json')) process.stderr.write(`${JSON.stringify({ error })}\n`);
  else process.stderr.write(`selvage: ${error.message}\n  ${error.hint}\n`);
  if (error.code === 'INTERNAL' && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`);
  return error.exitCode;
}

/** Bin: the command line to the command. */
async function main(argv: readonly string[]): Promise<void> {
  const program = await createProgram(argv[2]);
  await program.parseAsync(argv);
}

main(process.argv).catch((error: unknown) => {
  process.exitCode = render(error);
});
