import type { CgroupLimits } from './hardware-report.ts';
import { parseFields, parseInteger } from './kernel-values.ts';
import { dataOf } from './outcome.ts';
import { type RootFiles, readInteger, readText } from './root-files.ts';

const MOUNT = '/sys/fs/cgroup';

/** From here on a v1 limit means "none": the kernel writes the largest page-aligned number. */
const NO_LIMIT_BYTES = 2 ** 60;

/** Deepest nesting of control groups looked at. */
const MAX_DEPTH = 32;

/**
 * The tightest memory and CPU limits from this process's control group up to the root, version 2 or 1 (kernel
 * documentation: admin-guide/cgroup-v2, cgroup-v1/memory, scheduler/sched-bwc). Undefined without control groups.
 */
export async function readCgroupLimits(files: RootFiles): Promise<CgroupLimits | undefined> {
  const text = dataOf(await readText(files, '/proc/self/cgroup'));
  if (text === undefined) return undefined;
  const paths = parseCgroupPaths(text);
  if (paths.has('memory') || paths.has('cpu')) return readVersion1(files, paths);
  const unified = paths.get('');
  return unified === undefined ? undefined : readVersion2(files, unified);
}

/** `/proc/self/cgroup` as controller → path; the unified hierarchy has the empty name. */
function parseCgroupPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    for (const controller of match[1].split(',')) paths.set(controller, match[2]);
  }
  return paths;
}

async function readVersion2(files: RootFiles, path: string): Promise<CgroupLimits> {
  const memory = new Tightest();
  const cpu = new Tightest();
  for (const directory of ancestors(MOUNT, path)) {
    // `max` is no integer: no limit.
    memory.offer(await readInteger(files, `${directory}/memory.max`), directory);
    cpu.offer(parseCpuMax(dataOf(await readText(files, `${directory}/cpu.max`)) ?? ''), directory);
  }
  return {
    version: 2,
    memoryLimitBytes: memory.value,
    memoryUsedBytes: await usedBytes(files, memory.directory, 'memory.current', 'inactive_file'),
    cpuQuotaCores: cpu.value,
  };
}

async function readVersion1(files: RootFiles, paths: Map<string, string>): Promise<CgroupLimits> {
  const memory = new Tightest();
  for (const directory of ancestors(`${MOUNT}/memory`, paths.get('memory') ?? '/')) {
    const limit = await readInteger(files, `${directory}/memory.limit_in_bytes`);
    if ((limit ?? NO_LIMIT_BYTES) < NO_LIMIT_BYTES) memory.offer(limit, directory);
  }
  const cpu = new Tightest();
  for (const directory of ancestors(`${MOUNT}/cpu`, paths.get('cpu') ?? '/')) {
    const quota = await readInteger(files, `${directory}/cpu.cfs_quota_us`);
    const period = await readInteger(files, `${directory}/cpu.cfs_period_us`);
    cpu.offer(cores(quota, period), directory);
  }
  return {
    version: 1,
    memoryLimitBytes: memory.value,
    memoryUsedBytes: await usedBytes(files, memory.directory, 'memory.usage_in_bytes', 'total_inactive_file'),
    cpuQuotaCores: cpu.value,
  };
}

/** `cpu.max` such as `150000 100000` (microseconds per period) as cores; undefined for `max 100000`. */
export function parseCpuMax(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/);
  return cores(parseInteger(quota ?? ''), parseInteger(period ?? ''));
}

function cores(quotaUs: number | undefined, periodUs: number | undefined): number | undefined {
  if (quotaUs === undefined || periodUs === undefined || quotaUs <= 0 || periodUs <= 0) return undefined;
  return Math.round((quotaUs / periodUs) * 1000) / 1000;
}

/** What a group uses without the file cache that the kernel drops first. */
async function usedBytes(
  files: RootFiles,
  directory: string | undefined,
  usageFile: string,
  cacheField: string,
): Promise<number | undefined> {
  if (directory === undefined) return undefined;
  const usage = await readInteger(files, `${directory}/${usageFile}`);
  const stat = parseFields(dataOf(await readText(files, `${directory}/memory.stat`)) ?? '', ' ');
  const cache = parseInteger(stat.get(cacheField) ?? '') ?? 0;
  return usage === undefined ? undefined : Math.max(0, usage - cache);
}

/** The group and those above it, the mount point last. Inside a container the path may be one of the host's. */
function ancestors(mount: string, path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.' && name !== '..');
  return names
    .slice(0, MAX_DEPTH)
    .map((_, index, all) => `${mount}/${all.slice(0, all.length - index).join('/')}`)
    .concat(mount);
}

class Tightest {
  value: number | undefined;
  directory: string | undefined;

  offer(value: number | undefined, directory: string): void {
    if (value === undefined || value < 0 || value >= (this.value ?? Number.POSITIVE_INFINITY)) return;
    this.value = value;
    this.directory = directory;
  }
}
