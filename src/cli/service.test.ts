import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import { packageRoot } from '../lib/paths.ts';
import { planInstall, planUninstall, type ServiceStep, type ServiceTarget } from './service-plan.ts';

const UNIT = '/etc/systemd/system/selvage.service';

describe('service plan', () => {
  let directory: string;
  let target: ServiceTarget;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'selvage-service-'));
    const installed = join(directory, 'package');
    cpSync(join(packageRoot, 'systemd'), join(installed, 'systemd'), { recursive: true });
    mkdirSync(join(installed, 'config'));
    writeFileSync(join(installed, 'config/selvage.yaml'), 'models: {}\n');
    target = {
      prefix: join(directory, 'root'),
      nodePath: '/usr/bin/node',
      packageRoot: installed,
      configPath: '/etc/selvage/selvage.yaml',
    };
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function writeAll(steps: readonly ServiceStep[]): void {
    for (const step of steps) {
      if (step.kind !== 'write') continue;
      mkdirSync(join(step.path, '..'), { recursive: true });
      writeFileSync(step.path, step.content);
    }
  }

  const kinds = (steps: readonly ServiceStep[]) => steps.map((step) => step.kind);

  it('writes units with the real paths, the user and a configuration', () => {
    const steps = planInstall(target);
    assert.deepEqual(kinds(steps), ['write', 'write', 'write', 'write'], 'with a prefix no command is run');
    writeAll(steps);
    const unit = readFileSync(join(directory, 'root', UNIT), 'utf8');
    assert.match(
      unit,
      new RegExp(
        `^ExecStart=/usr/bin/node ${target.packageRoot}/bin/selvage.js serve --config /etc/selvage/selvage.yaml$`,
        'm',
      ),
    );
    assert.equal(unit.match(/^ExecStart=/gm)?.length, 1);
    assert.equal(readFileSync(join(directory, 'root/etc/selvage/selvage.yaml'), 'utf8'), 'models: {}\n');
  });

  it('quotes paths as systemd reads them', () => {
    const steps = planInstall({ ...target, nodePath: '/opt/my "node" \\ 100%/$x/node' });
    const unit = steps.find((step) => step.kind === 'write' && step.path.endsWith('.service'));
    assert.ok(unit?.kind === 'write');
    assert.match(unit.content, /^ExecStart="\/opt\/my \\"node\\" \\\\ 100%%\/\$\$x\/node" /m);
  });

  it('can be repeated, and never overwrites a configuration', () => {
    writeAll(planInstall(target));
    const config = join(directory, 'root/etc/selvage/selvage.yaml');
    writeFileSync(config, 'models: { mine: {} }\n');
    assert.deepEqual(kinds(planInstall(target)), ['keep', 'keep', 'keep', 'keep']);
    assert.deepEqual(kinds(planInstall({ ...target, nodePath: '/usr/local/bin/node' })), [
      'write',
      'keep',
      'keep',
      'keep',
    ]);
  });

  it('refuses paths that the unit hides from the service', () => {
    for (const nodePath of ['/home/pi/.nvm/versions/node/v20/bin/node', '/root/node', '/tmp/node']) {
      assert.throws(
        () => planInstall({ ...target, prefix: undefined, nodePath }),
        (thrown) =>
          thrown instanceof SelvageError &&
          thrown.code === 'SERVICE_SETUP' &&
          thrown.message.includes(nodePath),
      );
    }
  });

  it('uninstalls what it wrote and leaves configuration, state and changes', () => {
    writeAll(planInstall(target));
    for (const path of ['var/lib/selvage', 'etc/systemd/system/selvage.service.d']) {
      mkdirSync(join(directory, 'root', path), { recursive: true });
    }
    const steps = planUninstall(target);
    assert.deepEqual(
      steps.map((step) => [step.kind, 'path' in step ? step.path.slice(join(directory, 'root').length) : '']),
      [
        ['remove', UNIT],
        ['remove', '/etc/systemd/system/selvage.socket'],
        ['remove', '/etc/sysusers.d/selvage.conf'],
        ['keep', '/etc/selvage'],
        ['keep', '/var/lib/selvage'],
        ['keep', '/etc/systemd/system/selvage.service.d'],
      ],
    );
    rmSync(join(directory, 'root'), { recursive: true });
    assert.deepEqual(planUninstall(target), []);
  });

  it('ships units and user for each file it installs', () => {
    assert.deepEqual(readdirSync(join(packageRoot, 'systemd')).sort(), [
      'selvage.service',
      'selvage.socket',
      'selvage.sysusers.conf',
    ]);
  });
});
