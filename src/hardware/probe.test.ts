import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import { packageRoot } from '../lib/paths.ts';
import type { HardwareReport } from './hardware-report.ts';
import { dataOf } from './outcome.ts';
import { probe } from './probe.ts';
import { type RootFiles, rootFiles } from './root-files.ts';

const fixtures = join(packageRoot, 'test/fixtures/hardware');
const machines = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const scratch = mkdtempSync(join(tmpdir(), 'selvage-probe-'));
after(() => rmSync(scratch, { recursive: true }));

/** A tree of files below a new directory. */
function tree(content: Readonly<Record<string, string | Uint8Array>>): string {
  const root = mkdtempSync(join(scratch, 'root-'));
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** The fixture's files, with other answers for some paths. */
function filesWith(
  machine: string,
  read: (path: string) => ReturnType<RootFiles['read']> | undefined,
): RootFiles {
  const files = rootFiles(join(fixtures, machine));
  return { ...files, read: (path, limitBytes) => read(path) ?? files.read(path, limitBytes) };
}

function statuses(report: HardwareReport): string[] {
  const { unreadable: _, ...parts } = report;
  return Object.values(parts).map((part) => part.status);
}

describe('probe of the fixture machines', () => {
  it('has the seven machines', () => {
    assert.deepEqual(machines.toSorted(), [
      'jetson-agx-orin',
      'jetson-nano',
      'jetson-orin-nano',
      'pi-4',
      'pi-5',
      'pi-zero-2w',
      'x86-server',
    ]);
  });

  for (const machine of machines) {
    it(`${machine} is as in its golden file`, async () => {
      const report: unknown = JSON.parse(JSON.stringify(await probe({ root: join(fixtures, machine) })));
      const golden = join(fixtures, `${machine}.json`);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, `${JSON.stringify(report, null, 2)}\n`);
      assert.deepEqual(report, JSON.parse(readFileSync(golden, 'utf8')));
    });

    it(`${machine} does not tell its serial number or machine id`, async () => {
      const text = JSON.stringify(await probe({ root: join(fixtures, machine) }));
      for (const path of ['etc/machine-id', 'proc/device-tree/serial-number']) {
        const secret = readIfThere(join(fixtures, machine, path));
        if (secret !== '') assert.ok(!text.includes(secret), path);
      }
    });
  }

  it('is the same in a second look', async () => {
    const root = join(fixtures, 'jetson-orin-nano');
    assert.deepEqual(await probe({ root }), await probe({ root }));
  });
});

describe('probe of what goes wrong', () => {
  it('has a report for an empty root, with no data in any part', async () => {
    const report = await probe({ root: tree({}) });
    assert.deepEqual(new Set(statuses(report)), new Set(['none']));
    assert.deepEqual(report.unreadable, []);
  });

  it('takes EAGAIN of a powered-down part for unavailable, never for 0', async () => {
    const files = filesWith('jetson-orin-nano', (path) =>
      /thermal_zone[234]\/temp$/.test(path)
        ? Promise.resolve({ status: 'failed', reason: 'EAGAIN' })
        : undefined,
    );
    const report = await probe({ files });
    const cv = dataOf(report.temperatures)?.filter((sensor) => sensor.type.startsWith('cv'));
    assert.deepEqual(cv, [
      { sensor: 'thermal_zone2', type: 'cv0-thermal', unavailable: 'EAGAIN', ...noTrips },
      { sensor: 'thermal_zone3', type: 'cv1-thermal', unavailable: 'EAGAIN', ...noTrips },
      { sensor: 'thermal_zone4', type: 'cv2-thermal', unavailable: 'EAGAIN', ...noTrips },
    ]);
    assert.equal(report.unreadable.length, 3);
    assert.equal(dataOf(report.temperatures)?.[0]?.celsius, 49.875);
  });

  it('keeps the other parts when the files of one fail', async () => {
    const files = filesWith('pi-4', (path) =>
      path === '/proc/cpuinfo' ? Promise.resolve({ status: 'failed', reason: 'EIO' }) : undefined,
    );
    const report = await probe({ files });
    assert.deepEqual(report.cpu, { status: 'failed', reason: 'EIO' });
    assert.deepEqual(report.unreadable, [{ path: '/proc/cpuinfo', reason: 'EIO' }]);
    assert.equal(report.memory.status, 'ok');
    assert.equal(report.board.status, 'ok');
  });

  it('keeps the other parts when one throws', async () => {
    const files = filesWith('pi-4', (path) => {
      if (path === '/proc/meminfo') throw new Error('a fault of ours');
      return undefined;
    });
    const report = await probe({ files });
    assert.deepEqual(report.memory, { status: 'failed', reason: 'a fault of ours' });
    assert.equal(report.cpu.status, 'ok');
  });

  it('gives up a part whose files never answer, after its time', async () => {
    const files = filesWith('pi-4', (path) =>
      path.includes('thermal_zone') ? new Promise<never>(() => {}) : undefined,
    );
    const report = await probe({ files, partTimeoutMs: 50 });
    assert.deepEqual(report.temperatures, { status: 'failed', reason: 'no answer within 50 ms' });
    assert.equal(report.cpu.status, 'ok');
  });

  it('rejects when cancelled', async () => {
    const files = filesWith('pi-4', () => new Promise<never>(() => {}));
    const controller = new AbortController();
    const looking = probe({ files, signal: controller.signal });
    controller.abort();
    await assert.rejects(looking, (error) => error instanceof SelvageError && error.code === 'CANCELLED');
  });

  it('survives hostile content in every file', async () => {
    const contents = {
      binary: Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 151) & 0xff)),
      'a line of megabytes': Buffer.alloc(6_000_000, '9'),
      blanks: Buffer.alloc(2_000_000, ' \n'),
      escapes: Buffer.from('\u001b]0;owned\u0007\u001b[2J\n'.repeat(50)),
    };
    for (const [name, content] of Object.entries(contents)) {
      const files: RootFiles = {
        ...rootFiles(join(fixtures, 'x86-server')),
        read: (_path, limitBytes) => Promise.resolve({ status: 'ok', data: content.subarray(0, limitBytes) }),
      };
      const text = JSON.stringify(await probe({ files }));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
      assert.ok(!/[\u0000-\u001f]|\\u00[01]/.test(text), name);
      assert.ok(text.length < 200_000, `${name}: ${text.length} characters`);
    }
  });

  it('reads the firmware word of a Pi 5 below its own soc', async () => {
    const path = 'sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled';
    const report = await probe({ root: tree({ [path]: 'e0008\n' }) });
    assert.deepEqual(dataOf(report.throttling)?.now, {
      underVoltage: false,
      frequencyCapped: false,
      throttled: false,
      softTemperatureLimit: true,
    });
    assert.equal(dataOf(report.throttling)?.sinceBoot.frequencyCapped, true);
  });

  it('finds accelerators whose driver is missing', async () => {
    const device = 'sys/bus/pci/devices/0000:01:00.0';
    const report = await probe({
      root: tree({
        [`${device}/vendor`]: '0x1ac1\n',
        [`${device}/device`]: '0x089a\n',
        [`${device}/class`]: '0x088000\n',
      }),
    });
    assert.deepEqual(dataOf(report.accelerators), [
      { kind: 'coral', name: 'Coral Edge TPU (PCIe)', bus: 'pci' },
    ]);
  });

  it('finds musl and its version', async () => {
    const report = await probe({
      root: tree({ 'lib/ld-musl-aarch64.so.1': '\x7fELF\0musl libc\0' + '1.2.5\0' }),
    });
    assert.deepEqual(dataOf(report.os)?.libc, { name: 'musl', version: '1.2.5' });
  });

  it('looks at the machine it runs on', async () => {
    const report = await probe();
    assert.ok((dataOf(report.cpu)?.logicalCores ?? 0) > 0);
    assert.ok((dataOf(report.memory)?.totalBytes ?? 0) > 0);
    assert.ok(!statuses(report).includes('failed'), JSON.stringify(report));
  });
});

const noTrips = { throttleCelsius: undefined, criticalCelsius: undefined };

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/[\0\n]/g, '');
  } catch {
    return '';
  }
}
