import { createHash } from 'node:crypto';
import type { Cpu, HardwareReport } from './hardware-report.ts';
import { dataOf } from './outcome.ts';

/**
 * Hash of what decides how fast a model runs on this machine: board, cores by kind with their largest frequency,
 * CPU features, main memory, GPUs and power mode; 32 hex digits. Two reports of one machine give the same value
 * whatever its temperature, load and free memory are. It is part of the key of measurements and optimized files.
 */
export function hardwareFingerprint(report: HardwareReport): string {
  const board = dataOf(report.board);
  const cpu = dataOf(report.cpu);
  const powerMode = dataOf(report.powerMode);
  const deciding = [
    ['board', board?.model, board?.soc],
    ['cpu', cpu?.architecture, ...(cpu === undefined ? [] : coreKinds(cpu))],
    ['features', ...(cpu?.features ?? [])],
    ['memory', memoryClassBytes(dataOf(report.memory)?.totalBytes)],
    // Without clocks: their limits follow the temperature.
    ['gpus', ...(dataOf(report.gpus) ?? []).map((gpu) => [gpu.name, gpu.pciId]).sort()],
    ['powerMode', powerMode?.id, powerMode?.name],
  ];
  return createHash('sha256').update(JSON.stringify(deciding)).digest('hex').slice(0, 32);
}

/** How many cores there are of each kind; `limitMhz` is left out because the kernel lowers it in the heat. */
function coreKinds(cpu: Cpu): [kind: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { partId, model, maxMhz, cpus } of cpu.clusters) {
    const kind = [partId, model, maxMhz].join('|');
    counts.set(kind, (counts.get(kind) ?? 0) + cpus.length);
  }
  return [...counts].sort();
}

/**
 * Memory rounded up to a size that is sold (a power of two or one and a half of it): what the kernel counts as
 * total is some percent less, and differs between kernel versions and firmware settings.
 */
export function memoryClassBytes(totalBytes: number | undefined): number | undefined {
  if (totalBytes === undefined || totalBytes <= 0) return undefined;
  const power = 2 ** Math.ceil(Math.log2(totalBytes));
  return totalBytes <= power * 0.75 ? power * 0.75 : power;
}
