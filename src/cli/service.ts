import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { reasonOf, SelvageError } from '../lib/errors.ts';
import { packageRoot } from '../lib/paths.ts';
import { printJson, printLines } from './output.ts';
import { planInstall, planUninstall, type ServiceStep, type ServiceTarget } from './service-plan.ts';

const DEFAULT_CONFIG = '/etc/selvage/selvage.yaml';

interface SetupOptions {
  readonly config?: string;
  readonly prefix?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Adds `selvage service install | uninstall | status`. */
export function registerService(program: Command): void {
  const service = program
    .command('service')
    .description('run the agent under systemd')
    .addHelpText('after', '\nExample:\n  sudo selvage service install');
  service
    .command('install')
    .description('install the units, the user and a default configuration, then start the agent')
    .option(
      '--config <file>',
      `configuration to use (default: ${DEFAULT_CONFIG}, written where there is none)`,
    )
    .option('--prefix <directory>', 'only write the files, below this directory instead of /')
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  sudo selvage service install --dry-run\n  sudo selvage service install',
    )
    .action((options: SetupOptions) => setUp('install', planInstall, options));
  service
    .command('uninstall')
    .description('stop the agent and remove its units; configuration and state stay')
    .option('--prefix <directory>', 'only remove files, below this directory instead of /')
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  sudo selvage service uninstall')
    .action((options: SetupOptions) => setUp('uninstall', planUninstall, options));
  service
    .command('status')
    .description('what systemd knows of the service')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  selvage service status')
    .action((options: { json?: boolean }) => showStatus(options.json ?? false));
}

function setUp(action: string, plan: (target: ServiceTarget) => ServiceStep[], options: SetupOptions): void {
  if (options.prefix === undefined) checkSystemd();
  const writes = options.prefix === undefined && options.dryRun !== true;
  if (writes && process.getuid?.() !== 0) {
    throw SelvageError.of('NOT_ROOT', { action: `selvage service ${action}` });
  }
  const steps = plan({
    prefix: options.prefix === undefined ? undefined : resolve(options.prefix),
    nodePath: process.execPath,
    packageRoot: resolve(packageRoot),
    configPath: configPathOf(options),
  });
  for (const step of steps) {
    if (options.dryRun !== true) perform(step);
    if (options.json !== true) printLines(describe(step));
  }
  if (options.json === true) {
    printJson({
      dryRun: options.dryRun ?? false,
      steps: steps.map(({ kind, ...rest }) => ({ kind, ...rest })),
    });
  }
}

function configPathOf(options: SetupOptions): string {
  if (options.config === undefined) return DEFAULT_CONFIG;
  const path = resolve(options.config);
  if (!existsSync(path)) throw SelvageError.of('CONFIG_NOT_FOUND', { path });
  return path;
}

/** As sd_booted(3) finds out. */
function checkSystemd(): void {
  if (existsSync('/run/systemd/system')) return;
  throw SelvageError.of('SYSTEMD_MISSING', { reason: 'there is no /run/systemd/system' });
}

function perform(step: ServiceStep): void {
  try {
    if (step.kind === 'write') writeWhole(step.path, step.content);
    else if (step.kind === 'remove') rmSync(step.path);
    else if (step.kind === 'run') runCommand(step.command);
  } catch (thrown) {
    throw SelvageError.of('SERVICE_SETUP', { step: describe(step), reason: reasonOf(thrown) }, thrown);
  }
}

function writeWhole(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode: 0o644, flush: true });
  renameSync(temporary, path);
}

function runCommand([program = '', ...rest]: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(stderr.trim() === '' ? `exit code ${status}` : stderr.trim());
}

function describe(step: ServiceStep): string {
  switch (step.kind) {
    case 'write':
      return `write ${step.path}`;
    case 'keep':
      return `keep ${step.path} (${step.reason})`;
    case 'remove':
      return `remove ${step.path}`;
    case 'run':
      return `run ${step.command.join(' ')}`;
  }
}

const PROPERTIES = {
  LoadState: 'loaded',
  UnitFileState: 'enabled',
  ActiveState: 'active',
  SubState: 'state',
  StatusText: 'status',
  MainPID: 'pid',
  NRestarts: 'restarts',
  ActiveEnterTimestamp: 'since',
  Result: 'result',
  ExecMainStatus: 'exitCode',
} as const;

function showStatus(json: boolean): void {
  checkSystemd();
  const query = ['show', 'selvage.service', `--property=${Object.keys(PROPERTIES).join(',')}`];
  const { stdout, status, stderr, error } = spawnSync('systemctl', query, { encoding: 'utf8' });
  if (error !== undefined || status !== 0) {
    const reason = error === undefined ? stderr.trim() : reasonOf(error);
    throw SelvageError.of('SERVICE_SETUP', { step: 'ask systemd for selvage.service', reason });
  }
  const found = new Map(stdout.split('\n').map((line) => splitOnce(line, '=')));
  const known = Object.entries(PROPERTIES).map(
    ([property, name]) => [name, found.get(property) ?? ''] as const,
  );
  if (json) printJson(Object.fromEntries(known));
  else
    printLines(
      ...known.filter(([, value]) => value !== '').map(([name, value]) => `${name.padEnd(9)} ${value}`),
    );
}

function splitOnce(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + separator.length)];
}
