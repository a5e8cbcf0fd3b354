import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { configPath, credentialsDir } from '../config/paths.ts';
import { reasonOf, SelvageError, toSelvageError } from '../lib/errors.ts';
import { type Check, type CheckContext, type CheckResult, failure } from './doctor-checks/check.ts';
import { formatTable, printJson, printLines } from './output.ts';

interface DoctorOptions {
  readonly config: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ selvage doctor
  $ sudo -u selvage selvage doctor --config /etc/selvage/selvage.yaml
`;

/** Adds `selvage doctor`: checks everything that serving needs, and says what to do about each fault. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check what serving needs of this machine, and say what to do about each fault')
    .option('-c, --config <file>', 'configuration file', configPath())
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: DoctorOptions) => {
      const results = await examine(options.config);
      if (options.json === true) printJson(results);
      else printLines(...describeResults(results));
      const count = results.filter((result) => result.status === 'failed').length;
      if (count > 0) throw SelvageError.of('CHECKS_FAILED', { count, total: results.length });
    });
}

/** Runs every check; one that throws is a failed check. */
export async function examine(path: string): Promise<CheckResult[]> {
  const { probe } = await import('../hardware/probe.ts');
  const context: CheckContext = {
    report: await probe(),
    configPath: path,
    config: await load(path),
  };
  const results: CheckResult[] = [];
  for (const [name, check] of await allChecks()) results.push(...(await runCheck(name, check, context)));
  return results;
}

/** Results for people: a table, then what to do. */
export function describeResults(results: readonly CheckResult[]): string[] {
  const table = formatTable(results, [
    { title: 'CHECK', value: ({ check }) => check },
    { title: 'STATUS', value: ({ status }) => status },
    // What programs say may have several lines.
    { title: 'FOUND', value: ({ found }) => found.replace(/\s*\n\s*/g, '; ') },
  ]);
  const advice = results.flatMap(({ check, status, advice }) =>
    advice === undefined ? [] : [`${check} (${status}): ${advice}`],
  );
  return advice.length === 0 ? [table] : [table, '', ...advice];
}

async function allChecks(): Promise<(readonly [name: string, check: Check])[]> {
  const [platform, runtime, modules, config, sockets, state, models, clock, machine] = await Promise.all([
    import('./doctor-checks/platform.ts'),
    import('./doctor-checks/native-runtime.ts'),
    import('./doctor-checks/native-modules.ts'),
    import('./doctor-checks/config-valid.ts'),
    import('./doctor-checks/sockets.ts'),
    import('./doctor-checks/state-directory.ts'),
    import('./doctor-checks/stored-models.ts'),
    import('./doctor-checks/system-clock.ts'),
    import('./doctor-checks/machine-state.ts'),
  ]);
  return [
    ['platform', platform.checkPlatform],
    ['onnx runtime', runtime.checkNativeRuntime],
    ['sharp', modules.checkSharp],
    ['sqlite', modules.checkSqlite],
    ['configuration', config.checkConfig],
    ['sockets', sockets.checkSockets],
    ['state directory', state.checkStateDirectory],
    ['stored models', models.checkStoredModels],
    ['clock', clock.checkClock],
    ['machine', machine.checkMachineState],
  ];
}

async function runCheck(name: string, check: Check, context: CheckContext): Promise<CheckResult[]> {
  try {
    return await check(context);
  } catch (error) {
    return [failure(name, reasonOf(error), 'The check itself failed: please report it.')];
  }
}

async function load(path: string): Promise<LoadedConfig | Error> {
  const { loadConfig } = await import('../config/load.ts');
  try {
    return await loadConfig(path, { credentialsDir: credentialsDir() });
  } catch (error) {
    return toSelvageError(error);
  }
}
