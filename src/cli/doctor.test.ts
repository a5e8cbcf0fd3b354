import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { HardwareReport } from '../hardware/hardware-report.ts';
import { dataOf, found } from '../hardware/outcome.ts';
import { packageRoot } from '../lib/paths.ts';
import { describeResults, examine } from './doctor.ts';
import type { CheckResult } from './doctor-checks/check.ts';
import { memoryResult, throttleResults, voltageResults } from './doctor-checks/machine-state.ts';
import { tryInChild } from './doctor-checks/native-modules.ts';
import { adviceFor } from './doctor-checks/native-runtime.ts';
import { checkArchitecture, checkLibc, checkNode } from './doctor-checks/platform.ts';
import { checkSocket } from './doctor-checks/sockets.ts';
import { checkStateAt, roomResult } from './doctor-checks/state-directory.ts';
import { judgeClock } from './doctor-checks/system-clock.ts';

const scratch = mkdtempSync(join(tmpdir(), 'selvage-doctor-'));
after(() => rmSync(scratch, { recursive: true }));

const MIB = 1024 * 1024;

function golden(machine: string): HardwareReport {
  return JSON.parse(readFileSync(join(packageRoot, 'test/fixtures/hardware', `${machine}.json`), 'utf8'));
}

function statusOf(result: CheckResult | undefined): string | undefined {
  if (result !== undefined && result.status !== 'ok')
    assert.ok(result.advice, `${result.check} has no advice`);
  return result?.status;
}

describe('platform checks', () => {
  it('want Node 20', () => {
    assert.equal(statusOf(checkNode('20.0.0')), 'ok');
    assert.equal(statusOf(checkNode('24.1.0')), 'ok');
    assert.equal(statusOf(checkNode('18.20.4')), 'failed');
  });

  it('want 64 bits, and tell a 32-bit system on a 64-bit kernel apart', () => {
    assert.equal(statusOf(checkArchitecture('arm64', 'arm64')), 'ok');
    assert.match(checkArchitecture('arm', 'arm64').advice ?? '', /64-bit edition/);
    assert.match(checkArchitecture('arm', 'arm').advice ?? '', /needs a 64-bit/);
    assert.equal(statusOf(checkArchitecture('riscv64', 'riscv64')), 'failed');
  });

  const rows: [libc: { name: string; version?: string } | undefined, status: string][] = [
    [{ name: 'glibc', version: '2.28' }, 'ok'],
    [{ name: 'glibc', version: '2.41' }, 'ok'],
    [{ name: 'glibc', version: '3.0' }, 'ok'],
    [{ name: 'glibc', version: '2.27' }, 'failed'],
    [{ name: 'glibc', version: '2.4' }, 'failed'],
    [{ name: 'musl', version: '1.2.5' }, 'failed'],
    [{ name: 'glibc' }, 'warning'],
    [undefined, 'warning'],
  ];
  for (const [libc, status] of rows) {
    it(`${libc?.name ?? 'no library'} ${libc?.version ?? ''} is ${status}`, () => {
      assert.equal(statusOf(checkLibc(libc)), status);
    });
  }
});

describe('native library checks', () => {
  it('see how a child ends: well, with an error, by a signal', async () => {
    assert.deepEqual(await tryInChild('console.log(6 * 7)'), { loaded: true, output: '42' });
    assert.deepEqual(await tryInChild("throw new TypeError('no such symbol')"), {
      loaded: false,
      reason: 'TypeError: no such symbol',
    });
    assert.deepEqual(await tryInChild("process.kill(process.pid, 'SIGILL'); setTimeout(() => {}, 5000)"), {
      loaded: false,
      reason: 'ended by SIGILL',
    });
    const missing = await tryInChild("await import('no-such-package-of-selvage')");
    assert.match(missing.loaded ? '' : missing.reason, /Cannot find package/);
  });

  const pi4 = dataOf(golden('pi-4').cpu);
  const rows: [reason: string, advice: RegExp][] = [
    ['ended by SIGILL', /Cortex-A72 does not have, which lacks fp16, dotprod, i8mm, sve, bf16/],
    ["/lib/libc.so.6: version `GLIBC_2.28' not found", /no GLIBC_2\.28/],
    ["libstdc++.so.6: version `GLIBCXX_3.4.26' not found", /no GLIBCXX_3\.4\.26/],
    ['libstdc++.so.6: cannot open shared object file', /apt install libstdc/],
    ['libonnxruntime.so.1: cannot open shared object file: No such file', /libonnxruntime\.so\.1/],
    ["Cannot find package 'onnxruntime-node'", /npm ci/],
    ['ended by SIGKILL', /memory/],
    ['something else', /npm rebuild onnxruntime-node/],
  ];
  for (const [reason, advice] of rows) {
    it(`advise on "${reason}"`, () => assert.match(adviceFor(reason, pi4), advice));
  }
});

describe('socket check', () => {
  const directory = join(scratch, 'sockets');
  mkdirSync(directory);

  it('is content with a free path, a live agent, and a stale socket', async () => {
    assert.match((await checkSocket('s', join(directory, 'free.sock'))).found, /is free/);

    const live = join(directory, 'live.sock');
    const server = createServer().listen(live);
    await new Promise((resolve) => server.once('listening', resolve));
    assert.match((await checkSocket('s', live)).found, /an agent listens/);
    server.close();

    // A process that is killed leaves its socket.
    const stale = join(directory, 'stale.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
    assert.throws(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' }));
    const result = await checkSocket('s', stale);
    assert.equal(result.status, 'ok');
    assert.match(result.found, /earlier run/);
  });

  it('refuses what cannot work', async () => {
    writeFileSync(join(directory, 'file'), '');
    const paths = {
      'is not a socket': join(directory, 'file'),
      'does not exist': join(directory, 'missing', 's.sock'),
      'not a directory': join(directory, 'file', 's.sock'),
      'has 120 bytes': `${directory}/`.padEnd(120, 'x'),
      'permission denied|read-only': '/sys/kernel/s.sock',
    };
    for (const [words, path] of Object.entries(paths)) {
      const result = await checkSocket('s', path);
      // The superuser may write to any directory, even where no file can be made.
      if (path.startsWith('/sys') && process.getuid?.() === 0) continue;
      assert.equal(statusOf(result), 'failed', path);
      assert.match(result.found, new RegExp(words));
    }
  });

  it('only warns where systemd will make the directory', async () => {
    assert.equal(statusOf(await checkSocket('s', '/run/selvage-does-not-exist/s.sock')), 'warning');
  });
});

describe('state directory check', () => {
  it('writes durably and leaves nothing', async () => {
    const directory = mkdtempSync(join(scratch, 'state-'));
    const results = await checkStateAt(directory);
    assert.equal(statusOf(results[0]), 'ok');
    assert.equal(results[1]?.check, 'disk space');
    assert.deepEqual(readdirSync(directory), []);
  });

  it('fails where no file can be made, whoever asks', async () => {
    const [writes] = await checkStateAt('/sys/kernel');
    assert.equal(statusOf(writes), 'failed');
  });

  it('fails for a file and for a missing parent, warns before the first start', async () => {
    writeFileSync(join(scratch, 'file'), '');
    assert.equal(statusOf((await checkStateAt(join(scratch, 'file')))[0]), 'failed');
    assert.equal(statusOf((await checkStateAt(join(scratch, 'no', 'state')))[0]), 'failed');
    assert.equal(statusOf((await checkStateAt(join(scratch, 'new')))[0]), 'warning');
    assert.ok(!readdirSync(scratch).includes('new'), 'the check makes no directory');
  });

  it('judges the room left', () => {
    assert.equal(statusOf(roomResult('/', 49 * MIB)), 'failed');
    assert.equal(statusOf(roomResult('/', 50 * MIB)), 'warning');
    assert.equal(statusOf(roomResult('/', 499 * MIB)), 'warning');
    assert.equal(statusOf(roomResult('/', 500 * MIB)), 'ok');
  });
});

describe('clock check', () => {
  it('knows a clock that was never set from one that is not synchronized', () => {
    assert.equal(statusOf(judgeClock(new Date('1970-01-01'), true)), 'failed');
    assert.equal(statusOf(judgeClock(new Date('2024-12-31'), undefined)), 'failed');
    assert.equal(statusOf(judgeClock(new Date('2025-01-01'), undefined)), 'ok');
    assert.equal(statusOf(judgeClock(new Date('2031-05-05'), false)), 'warning');
    assert.equal(statusOf(judgeClock(new Date('2031-05-05'), true)), 'ok');
  });
});

describe('machine checks', () => {
  it('judge memory by what is left for models', () => {
    const withAvailable = (availableBytes: number): HardwareReport => ({
      ...golden('pi-zero-2w'),
      memory: found({ totalBytes: 416 * MIB, availableBytes }),
    });
    assert.equal(statusOf(memoryResult(withAvailable(300 * MIB))), 'ok');
    assert.equal(statusOf(memoryResult(withAvailable(160 * MIB))), 'warning');
    assert.equal(statusOf(memoryResult(withAvailable(100 * MIB))), 'failed');
  });

  it('name the limit of the control group where there is one', () => {
    const memory = found({
      totalBytes: 4096 * MIB,
      availableBytes: 3000 * MIB,
      cgroup: { version: 2, memoryLimitBytes: 128 * MIB, memoryUsedBytes: 100 * MIB },
    } as const);
    const result = memoryResult({ ...golden('pi-4'), memory });
    assert.equal(statusOf(result), 'failed');
    assert.match(result.advice ?? '', /MemoryMax=.*|128 MiB/);
  });

  it('warn of under-voltage and throttling, and say nothing where the machine does not tell', () => {
    assert.deepEqual(voltageResults(golden('pi-4')).map(statusOf), ['warning']);
    assert.deepEqual(throttleResults(golden('pi-4')).map(statusOf), ['warning']);
    assert.deepEqual(voltageResults(golden('pi-zero-2w')).map(statusOf), ['ok']);
    assert.deepEqual(throttleResults(golden('pi-zero-2w')).map(statusOf), ['ok']);
    assert.match(throttleResults(golden('jetson-agx-orin'))[0]?.found ?? '', /gpu-throttle-alert/);
    assert.deepEqual([...voltageResults(golden('x86-server')), ...throttleResults(golden('x86-server'))], []);
  });
});

describe('examine', () => {
  it('runs every check on this machine with a valid configuration', async () => {
    const directory = mkdtempSync(join(scratch, 'whole-'));
    const config = join(directory, 'selvage.yaml');
    writeFileSync(
      config,
      `stateDir: ${directory}\nserver: { http: { socket: ${directory}/s }, admin: { socket: ${directory}/a } }\n`,
    );
    const results = await examine(config);
    const byName = new Map(results.map((result) => [result.check, result]));
    const names = ['node', 'architecture', 'c library', 'onnx runtime', 'sharp', 'sqlite', 'configuration'];
    for (const name of [...names, 'inference socket', 'admin socket', 'state directory', 'clock', 'memory']) {
      assert.ok(byName.has(name), `no check "${name}"`);
    }
    for (const name of ['node', 'onnx runtime', 'sqlite', 'inference socket', 'state directory']) {
      assert.equal(byName.get(name)?.status, 'ok', JSON.stringify(byName.get(name)));
    }
  });

  it('fails the configuration alone when it is wrong, and leaves out what depends on it', async () => {
    const config = join(scratch, 'wrong.yaml');
    writeFileSync(config, 'stateDirectory: /tmp\n');
    const results = await examine(config);
    const wrong = results.find((result) => result.check === 'configuration');
    assert.equal(statusOf(wrong), 'failed');
    assert.match(wrong?.found ?? '', /wrong\.yaml:1/);
    assert.ok(!results.some((result) => result.check === 'state directory'));
  });
});

describe('describeResults', () => {
  it('puts the advice below the table', () => {
    const lines = describeResults([
      { check: 'node', status: 'ok', found: '20.1.0' },
      { check: 'clock', status: 'failed', found: 'a\n  b', advice: 'Set it.' },
    ]);
    assert.deepEqual(lines, [
      'CHECK  STATUS  FOUND\nnode   ok      20.1.0\nclock  failed  a; b',
      '',
      'clock (failed): Set it.',
    ]);
  });
});
