import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../lib/paths.ts';
import { budgetOf } from './budget.ts';
import type { HardwareReport } from './hardware-report.ts';

const MIB = 1024 * 1024;

function golden(machine: string): HardwareReport {
  return JSON.parse(readFileSync(join(packageRoot, 'test/fixtures/hardware', `${machine}.json`), 'utf8'));
}

function withMemory(memory: object): HardwareReport {
  return { ...golden('pi-5'), memory: { status: 'ok', data: memory } };
}

describe('budgetOf', () => {
  it('takes what the kernel has available, less a sixteenth', () => {
    const budget = budgetOf(withMemory({ totalBytes: 4096 * MIB, availableBytes: 3000 * MIB }));
    assert.equal(budget.memoryBytes, (3000 - 256) * MIB);
    assert.equal(budget.memoryReason, 'memory the kernel has available, less a reserve of 256 MiB');
  });

  it('reserves no less than 64 MiB and no more than 512 MiB', () => {
    const small = budgetOf(withMemory({ totalBytes: 512 * MIB, availableBytes: 300 * MIB }));
    assert.equal(small.memoryBytes, (300 - 64) * MIB);
    const large = budgetOf(withMemory({ totalBytes: 65536 * MIB, availableBytes: 60000 * MIB }));
    assert.equal(large.memoryBytes, (60000 - 512) * MIB);
  });

  it('takes what is left of a control group where that is less', () => {
    const nano = budgetOf(golden('jetson-nano'));
    // 1024 MiB limit, 150 MiB used, 64 MiB reserve.
    assert.equal(nano.memoryBytes, (1024 - 150 - 64) * MIB);
    assert.match(nano.memoryReason, /control group/);
    assert.equal(nano.cores, 1);
    assert.equal(nano.coresReason, 'CPU quota of the control group');
  });

  it('is never negative', () => {
    const cgroup = { version: 2, memoryLimitBytes: 64 * MIB, memoryUsedBytes: 80 * MIB };
    assert.equal(budgetOf(withMemory({ totalBytes: 4096 * MIB, cgroup })).memoryBytes, 0);
  });

  it('counts the cores of the CPU, the affinity mask and the quota, at least one', () => {
    assert.equal(budgetOf(golden('pi-5')).cores, 4);
    assert.equal(budgetOf(golden('x86-server')).cores, 4);
    const cpu = { logicalCores: 4, clusters: [], features: [], allowedCpus: [1, 3] };
    assert.equal(budgetOf({ ...golden('pi-5'), cpu: { status: 'ok', data: cpu } }).cores, 2);
    const cgroup = { version: 2, cpuQuotaCores: 0.25 };
    assert.equal(budgetOf(withMemory({ totalBytes: MIB, cgroup })).cores, 1);
  });

  it('tells throttling and under-voltage apart, and both from not knowing', () => {
    const flags = (machine: string) => {
      const { throttledNow, underVoltageNow } = budgetOf(golden(machine));
      return { throttledNow, underVoltageNow };
    };
    assert.deepEqual(flags('pi-4'), { throttledNow: true, underVoltageNow: true });
    assert.deepEqual(flags('pi-zero-2w'), { throttledNow: false, underVoltageNow: false });
    assert.deepEqual(flags('pi-5'), { throttledNow: undefined, underVoltageNow: false });
    assert.deepEqual(flags('jetson-agx-orin'), { throttledNow: true, underVoltageNow: undefined });
    assert.deepEqual(flags('jetson-nano'), { throttledNow: undefined, underVoltageNow: undefined });
  });

  it('knows nothing of a machine that tells nothing', () => {
    const nothing = JSON.parse(
      JSON.stringify(golden('pi-5')).replace(/"status":"ok"/g, '"status":"none"'),
    ) as HardwareReport;
    const budget = budgetOf(nothing);
    assert.equal(budget.memoryBytes, undefined);
    assert.equal(budget.cores, 1);
  });
});
