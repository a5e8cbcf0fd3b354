import { readCgroupLimits } from '../cgroup.ts';
import type { Memory, MemoryPressure } from '../hardware-report.ts';
import { parseFields, parseKib } from '../kernel-values.ts';
import { dataOf, failed, found, type Outcome } from '../outcome.ts';
import { type RootFiles, readText } from '../root-files.ts';

/** Reads main memory, what control groups leave of the machine, and memory pressure. */
export async function collectMemory(files: RootFiles): Promise<Outcome<Memory>> {
  const meminfo = await readText(files, '/proc/meminfo');
  if (meminfo.status !== 'ok') return meminfo;
  const fields = parseFields(meminfo.data, ':');
  const totalBytes = parseKib(fields.get('MemTotal'));
  if (totalBytes === undefined) return failed('/proc/meminfo names no MemTotal');
  return found({
    totalBytes,
    availableBytes: parseKib(fields.get('MemAvailable')),
    swapTotalBytes: parseKib(fields.get('SwapTotal')),
    swapFreeBytes: parseKib(fields.get('SwapFree')),
    cgroup: await readCgroupLimits(files),
    pressure: parsePressure(dataOf(await readText(files, '/proc/pressure/memory')) ?? ''),
  });
}

/** A PSI file: `some avg10=0.00 avg60=1.25 avg300=0.40 total=123` and the same for `full` (accounting/psi). */
export function parsePressure(text: string): MemoryPressure | undefined {
  const some10sPercent = average(text, 'some', 'avg10');
  const some60sPercent = average(text, 'some', 'avg60');
  if (some10sPercent === undefined || some60sPercent === undefined) return undefined;
  return {
    some10sPercent,
    some60sPercent,
    full10sPercent: average(text, 'full', 'avg10'),
    full60sPercent: average(text, 'full', 'avg60'),
  };
}

function average(text: string, kind: 'some' | 'full', window: 'avg10' | 'avg60'): number | undefined {
  const value = new RegExp(`^${kind} .*\\b${window}=(\\d{1,3}(?:\\.\\d{1,4})?)(?: |$)`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}
