import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCpuMax, readCgroupLimits } from './cgroup.ts';
import { found, none } from './outcome.ts';
import type { RootFiles } from './root-files.ts';

/** Files that exist in memory only. */
function filesOf(content: Readonly<Record<string, string>>): RootFiles {
  return {
    live: false,
    read: async (path) => (content[path] === undefined ? none : found(Buffer.from(content[path]))),
    list: async () => none,
    exists: async (path) => content[path] !== undefined,
    space: async () => none,
  };
}

const V2 = '/sys/fs/cgroup';

describe('readCgroupLimits', () => {
  it('takes the tightest limit on the way up, with the usage of that group', async () => {
    const limits = await readCgroupLimits(
      filesOf({
        '/proc/self/cgroup': '0::/outer/inner\n',
        [`${V2}/outer/inner/memory.max`]: '900\n',
        [`${V2}/outer/inner/memory.current`]: '10\n',
        [`${V2}/outer/memory.max`]: '800\n',
        [`${V2}/outer/memory.current`]: '700\n',
        [`${V2}/outer/memory.stat`]: 'anon 1\ninactive_file 300\n',
        [`${V2}/outer/cpu.max`]: '50000 100000\n',
        [`${V2}/cpu.max`]: 'max 100000\n',
      }),
    );
    assert.deepEqual(limits, { version: 2, memoryLimitBytes: 800, memoryUsedBytes: 400, cpuQuotaCores: 0.5 });
  });

  it('finds the limit of a container whose path is one of the host', async () => {
    const limits = await readCgroupLimits(
      filesOf({
        '/proc/self/cgroup': '0::/../../system.slice/docker-abc.scope\n',
        [`${V2}/memory.max`]: '1048576\n',
      }),
    );
    assert.equal(limits?.memoryLimitBytes, 1048576);
  });

  it('has no limit where version 1 has its largest number and no quota', async () => {
    const limits = await readCgroupLimits(
      filesOf({
        '/proc/self/cgroup': '4:cpu,cpuacct:/\n3:memory:/\n',
        [`${V2}/memory/memory.limit_in_bytes`]: '9223372036854771712\n',
        [`${V2}/cpu/cpu.cfs_quota_us`]: '-1\n',
        [`${V2}/cpu/cpu.cfs_period_us`]: '100000\n',
      }),
    );
    assert.deepEqual(limits, {
      version: 1,
      memoryLimitBytes: undefined,
      memoryUsedBytes: undefined,
      cpuQuotaCores: undefined,
    });
  });

  it('has nothing without control groups or with a malformed table', async () => {
    assert.equal(await readCgroupLimits(filesOf({})), undefined);
    assert.equal(await readCgroupLimits(filesOf({ '/proc/self/cgroup': 'garbage\n\0\n' })), undefined);
  });
});

describe('parseCpuMax', () => {
  const rows: [string, number | undefined][] = [
    ['150000 100000\n', 1.5],
    ['max 100000', undefined],
    ['100000', undefined],
    ['-1 100000', undefined],
    ['100000 0', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)} → ${expected}`, () => assert.equal(parseCpuMax(text), expected));
  }
});
