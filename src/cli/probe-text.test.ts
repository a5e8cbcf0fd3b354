import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { budgetOf } from '../hardware/budget.ts';
import { hardwareFingerprint } from '../hardware/fingerprint.ts';
import type { HardwareReport } from '../hardware/hardware-report.ts';
import { failed, found, none, type Outcome } from '../hardware/outcome.ts';
import { packageRoot } from '../lib/paths.ts';
import type { RuntimeDescription } from '../runtime/messages.ts';
import { type ProbeResult, probeText } from './probe-text.ts';

const fixtures = join(packageRoot, 'test/fixtures/hardware');

function resultOf(machine: string, runtime: Outcome<RuntimeDescription> = none): ProbeResult {
  const hardware = JSON.parse(readFileSync(join(fixtures, `${machine}.json`), 'utf8')) as HardwareReport;
  return { hardware, fingerprint: hardwareFingerprint(hardware), budget: budgetOf(hardware), runtime };
}

/** The lines of a group, without its label. */
function group(lines: readonly string[], label: string): string[] {
  const start = lines.findIndex((line) => line.startsWith(label.padEnd(14)));
  if (start < 0) return [];
  const after = lines.slice(start + 1).findIndex((line) => !line.startsWith(' '));
  const end = after < 0 ? lines.length : start + 1 + after;
  return lines.slice(start, end).map((line) => line.slice(14));
}

describe('probeText', () => {
  const cpuOnly = found({ version: '1.30.0', providers: ['cpu'] });

  it('groups what a Raspberry Pi shows', () => {
    const lines = probeText(resultOf('pi-4', cpuOnly));
    assert.deepEqual(group(lines, 'board')[0], 'Raspberry Pi 4 Model B Rev 1.4, bcm2711, revision c03114');
    assert.deepEqual(group(lines, 'cpu'), [
      'Cortex-A72, arm64, 4 cores',
      '600–1800 MHz, governor ondemand',
      'features: neon',
    ]);
    assert.deepEqual(group(lines, 'caches'), ['L1d 4 × 32 KiB, L1i 4 × 48 KiB, L2 1 MiB']);
    assert.deepEqual(group(lines, 'runtime'), ['ONNX Runtime 1.30.0, execution providers: cpu']);
    assert.deepEqual(group(lines, 'throttling')[0], 'now: under-voltage, throttling');
    assert.ok(group(lines, 'storage').includes('/ ext4 on /dev/mmcblk0p2, read-only'));
    assert.deepEqual(group(lines, 'no data'), ['power rails, power mode']);
  });

  it('names each cluster, the limit of the power mode and what is unavailable on a Jetson', () => {
    const lines = probeText(resultOf('jetson-orin-nano', cpuOnly));
    assert.ok(
      group(lines, 'cpu').includes(
        'cpus 4-5 Cortex-A78AE, 115–1728 MHz, limited to 1344 MHz, governor schedutil',
      ),
    );
    assert.ok(group(lines, 'temperatures').includes('cv0-thermal unavailable (no data)'));
    assert.deepEqual(group(lines, 'throttling').slice(0, 2), [
      'now: no throttling',
      'since boot: throttling',
    ]);
    assert.deepEqual(group(lines, 'power mode'), ['25W, others: 15W MAXN_SUPER 7W']);
  });

  it('says that a Jetson has no GPU through onnxruntime-node, unless the runtime has CUDA', () => {
    const note = /GPU is not used: onnxruntime-node is built for the CPU only/;
    assert.match(probeText(resultOf('jetson-nano', cpuOnly)).join('\n'), note);
    const cuda = found({ version: '1.30.0', providers: ['cpu', 'cuda'] });
    assert.doesNotMatch(probeText(resultOf('jetson-nano', cuda)).join('\n'), note);
    assert.doesNotMatch(probeText(resultOf('pi-5', cpuOnly)).join('\n'), note);
  });

  it('shows a part that failed, and the files behind it', () => {
    const result = resultOf('pi-5', failed('ended by SIGILL'));
    const hardware = {
      ...result.hardware,
      memory: failed('EIO'),
      unreadable: [{ path: '/proc/meminfo', reason: 'EIO' }],
    };
    const lines = probeText({ ...result, hardware });
    assert.deepEqual(group(lines, 'memory'), ['could not be read: EIO']);
    assert.deepEqual(group(lines, 'runtime'), ['could not be read: ended by SIGILL']);
    assert.deepEqual(group(lines, 'unreadable'), ['/proc/meminfo: EIO']);
  });

  it('has lines without undefined, NaN or trailing blanks for every machine', () => {
    for (const machine of ['pi-zero-2w', 'pi-5', 'jetson-agx-orin', 'x86-server']) {
      for (const line of probeText(resultOf(machine))) {
        assert.doesNotMatch(line, /undefined|NaN|\[object|\s$|^$/, `${machine}: ${line}`);
      }
    }
  });
});

describe('selvage probe', () => {
  /** Runs the command alone, in a process of its own as the real one is. */
  async function run(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    const script = `
      import { Command } from 'commander';
      const { registerProbe } = await import(${JSON.stringify(new URL('./probe.js', import.meta.url).href)});
      const program = new Command();
      registerProbe(program);
      await program.parseAsync(process.argv.slice(1), { from: 'user' }).catch((error) => {
        process.stderr.write(JSON.stringify(error));
        process.exitCode = error.exitCode;
      });`;
    const argv = ['--input-type=module', '--eval', script, '--', 'probe', ...args];
    try {
      const ended = await promisify(execFile)(process.execPath, argv, { cwd: packageRoot });
      return { ...ended, code: 0 };
    } catch (error) {
      return error as { stdout: string; stderr: string; code: number };
    }
  }

  it('prints another machine as JSON, without the runtime of this one', async () => {
    const { stdout, code } = await run('--json', '--root', join(fixtures, 'pi-5'));
    assert.equal(code, 0);
    const result = JSON.parse(stdout) as ProbeResult;
    assert.deepEqual(result.hardware, JSON.parse(readFileSync(join(fixtures, 'pi-5.json'), 'utf8')));
    assert.match(result.fingerprint, /^[0-9a-f]{32}$/);
    assert.equal(result.budget.cores, 4);
    assert.deepEqual(result.runtime, { status: 'none' });
  });

  it('prints this machine with its runtime for people', async () => {
    const { stdout, code } = await run();
    assert.equal(code, 0);
    assert.match(stdout, /^cpu {11}\S/m);
    assert.match(stdout, /^runtime {7}ONNX Runtime \d+\.\d+\.\d+, execution providers: .*cpu/m);
  });

  it('refuses a root that is no directory', async () => {
    for (const root of [join(fixtures, 'no-such-machine'), join(fixtures, 'pi-5.json')]) {
      const { stderr, stdout, code } = await run('--root', root);
      assert.equal(code, 64);
      assert.equal(JSON.parse(stderr).code, 'USAGE');
      assert.equal(stdout, '');
    }
  });
});
