import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SelvageError } from '../lib/errors.ts';

/** One thing that installing or uninstalling the service does. */
export type ServiceStep =
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  | { readonly kind: 'keep'; readonly path: string; readonly reason: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'run'; readonly command: readonly string[] };

/** What the steps depend on. */
export interface ServiceTarget {
  /** Directory that stands for `/`; with one, files are only staged there and no command is run. */
  readonly prefix: string | undefined;
  /** The node program to run. */
  readonly nodePath: string;
  /** Directory of the installed package. */
  readonly packageRoot: string;
  /** The configuration the service is to use; an existing one is kept. */
  readonly configPath: string;
}

const UNITS = ['selvage.service', 'selvage.socket'] as const;
const UNIT_DIRECTORY = '/etc/systemd/system';
const SYSUSERS_PATH = '/etc/sysusers.d/selvage.conf';

/** Directories that the units hide from the service (`ProtectHome=`, `PrivateTmp=`). */
const HIDDEN_FROM_SERVICE = ['/home/', '/root/', '/run/user/', '/tmp/', '/var/tmp/'];

/** The steps that install the service; throws SERVICE_SETUP where the service could not see its own files. */
export function planInstall(target: ServiceTarget): ServiceStep[] {
  const { nodePath, packageRoot, configPath } = target;
  if (target.prefix === undefined) {
    for (const path of [nodePath, packageRoot, configPath]) checkVisible(path);
  }
  const units = UNITS.map((unit) => {
    const template = readFileSync(join(packageRoot, 'systemd', unit), 'utf8');
    return planFile(target, join(UNIT_DIRECTORY, unit), withExecStart(template, target));
  });
  const changed = units.some((step) => step.kind === 'write');
  const sysusers = readFileSync(join(packageRoot, 'systemd', 'selvage.sysusers.conf'), 'utf8');
  return [
    // Before its units change: a socket cannot be started while its service runs.
    ...commands(target, changed && unitsExist(target) ? [['systemctl', 'stop', ...UNITS]] : []),
    ...units,
    planFile(target, SYSUSERS_PATH, sysusers),
    planConfig(target),
    ...commands(target, [
      ['systemd-sysusers', SYSUSERS_PATH],
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', ...UNITS],
      ['systemctl', 'start', 'selvage.socket'],
      ['systemctl', 'start', 'selvage.service'],
    ]),
  ];
}

/** The steps that uninstall the service; configuration, state and user stay. */
export function planUninstall(target: ServiceTarget): ServiceStep[] {
  const files = [...UNITS.map((unit) => join(UNIT_DIRECTORY, unit)), SYSUSERS_PATH]
    .map((path) => staged(target, path))
    .filter((path) => existsSync(path));
  const keep = (path: string, reason: string): ServiceStep[] =>
    existsSync(staged(target, path)) ? [{ kind: 'keep', path: staged(target, path), reason }] : [];
  return [
    ...commands(target, unitsExist(target) ? [['systemctl', 'disable', '--now', ...UNITS]] : []),
    ...files.map((path): ServiceStep => ({ kind: 'remove', path })),
    ...commands(target, [['systemctl', 'daemon-reload']]),
    ...keep('/etc/selvage', 'configuration'),
    ...keep('/var/lib/selvage', 'state'),
    ...keep(join(UNIT_DIRECTORY, 'selvage.service.d'), 'your changes to the unit'),
  ];
}

function planFile(target: ServiceTarget, path: string, content: string): ServiceStep {
  const at = staged(target, path);
  if (existsSync(at) && readFileSync(at, 'utf8') === content)
    return { kind: 'keep', path: at, reason: 'unchanged' };
  return { kind: 'write', path: at, content };
}

function planConfig(target: ServiceTarget): ServiceStep {
  const at = staged(target, target.configPath);
  if (existsSync(at)) return { kind: 'keep', path: at, reason: 'your configuration' };
  const content = readFileSync(join(target.packageRoot, 'config', 'selvage.yaml'), 'utf8');
  return { kind: 'write', path: at, content };
}

function withExecStart(template: string, target: ServiceTarget): string {
  const words = [
    target.nodePath,
    join(target.packageRoot, 'bin', 'selvage.js'),
    'serve',
    '--config',
    target.configPath,
  ];
  // A function, because `$` means something in a replacement text.
  return template.replace(/^ExecStart=.*$/m, () => `ExecStart=${words.map(unitWord).join(' ')}`);
}

/** A word of a command line in a unit, quoted as systemd.service(5) wants it. */
function unitWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, '\\$&')}"`;
}

function checkVisible(path: string): void {
  const hidden = HIDDEN_FROM_SERVICE.find((directory) => path.startsWith(directory));
  if (hidden === undefined) return;
  throw SelvageError.of('SERVICE_SETUP', {
    step: `use ${path}`,
    reason: `the service cannot see ${hidden}; install Node and Selvage for the whole system, such as below /usr/lib`,
  });
}

function unitsExist(target: ServiceTarget): boolean {
  return UNITS.every((unit) => existsSync(staged(target, join(UNIT_DIRECTORY, unit))));
}

function commands(target: ServiceTarget, list: ReadonlyArray<readonly string[]>): ServiceStep[] {
  return target.prefix === undefined ? list.map((command) => ({ kind: 'run', command })) : [];
}

function staged(target: ServiceTarget, path: string): string {
  return join(target.prefix ?? '/', path);
}
