import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Outcome } from '../hardware/outcome.ts';
import { reasonOf, SelvageError, toSelvageError } from '../lib/errors.ts';
import type { RuntimeDescription } from '../runtime/messages.ts';
import { printJson, printLines } from './output.ts';
import type { ProbeResult } from './probe-text.ts';

interface ProbeCommandOptions {
  readonly json?: boolean;
  readonly root: string;
}

const EXAMPLES = `
Examples:
  $ selvage probe
  $ selvage probe --json | jq .hardware.cpu.data.features
`;

/** Adds `selvage probe`: what this machine is, and what of it models can use. */
export function registerProbe(program: Command): void {
  program
    .command('probe')
    .description('show the hardware, its state, and what models can use of it')
    .option('--json', 'print JSON')
    .option('--root <dir>', "look at a copy of another machine's files in this directory", '/')
    .addHelpText('after', EXAMPLES)
    .action(async (options: ProbeCommandOptions) => {
      const result = await look(options.root);
      if (options.json === true) {
        printJson(result);
        return;
      }
      const { probeText } = await import('./probe-text.ts');
      printLines(...probeText(result));
    });
}

async function look(root: string): Promise<ProbeResult> {
  await checkRoot(root);
  const { probe } = await import('../hardware/probe.ts');
  const { hardwareFingerprint } = await import('../hardware/fingerprint.ts');
  const { budgetOf } = await import('../hardware/budget.ts');
  const [hardware, runtime] = await Promise.all([probe({ root }), askRuntime(root)]);
  return { hardware, fingerprint: hardwareFingerprint(hardware), budget: budgetOf(hardware), runtime };
}

async function checkRoot(root: string): Promise<void> {
  const found = await stat(root).catch((error: unknown) => {
    throw SelvageError.of('USAGE', { problem: `--root ${root}: ${reasonOf(error)}` }, error);
  });
  if (!found.isDirectory()) throw SelvageError.of('USAGE', { problem: `--root ${root} is not a directory` });
}

/** The runtime of this machine; it says nothing about the one whose files lie below another root. */
async function askRuntime(root: string): Promise<Outcome<RuntimeDescription>> {
  const { failed, found, none } = await import('../hardware/outcome.ts');
  if (root !== '/') return none;
  const { describeRuntime } = await import('../runtime/describe-runtime.ts');
  try {
    return found(await describeRuntime());
  } catch (error) {
    return failed(toSelvageError(error).message);
  }
}
