/**
 * Checks the units as `selvage service install` writes them: systemd must accept every line (`verify`), and the
 * service's exposure must be at most 2.0 (`security`, 0 = fully confined, 10 = not at all). Needs no running systemd.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { planInstall } from '../src/cli/service-plan.ts';
import { packageRoot } from '../src/lib/paths.ts';

/** Ten times the score. */
const THRESHOLD = 20;

if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
  process.stderr.write('security-score: there is no systemd-analyze (apt install systemd)\n');
  process.exit(69);
}
const directory = mkdtempSync(join(tmpdir(), 'selvage-units-'));
try {
  const [service, socket] = stageUnits(directory);
  analyze('verify', '--recursive-errors=no', '--man=no', service, socket);
  analyze('security', '--offline=true', `--threshold=${THRESHOLD}`, '--no-pager', service);
} finally {
  rmSync(directory, { recursive: true });
}

function stageUnits(prefix: string): [service: string, socket: string] {
  const steps = planInstall({
    prefix,
    nodePath: process.execPath,
    packageRoot: resolve(packageRoot),
    configPath: '/etc/selvage/selvage.yaml',
  });
  const units = steps.flatMap((step) =>
    step.kind === 'write' && /\.(service|socket)$/.test(step.path) ? [step] : [],
  );
  const [service = '', socket = ''] = units.map(({ path, content }) => {
    const staged = join(prefix, basename(path));
    writeFileSync(staged, content);
    return staged;
  });
  return [service, socket];
}

function analyze(...command: string[]): void {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', command, { encoding: 'utf8' });
  const lines = stdout.trimEnd().split('\n');
  process.stdout.write(`${status === 0 ? (lines.at(-1) ?? '') : stdout}\n`);
  // `verify` says what it does not know on standard error and may still exit 0.
  if (status === 0 && stderr.trim() === '') return;
  process.stderr.write(`${stderr}security-score: systemd-analyze ${command[0]} exited with ${status}\n`);
  process.exitCode = 1;
}
