import type { HardwareReport } from './hardware-report.ts';
import { dataOf } from './outcome.ts';

/** What this machine has for models now, each figure with the reason for it. */
export interface MachineBudget {
  /** Memory that models may still take, in bytes; undefined where the machine does not tell. */
  readonly memoryBytes: number | undefined;
  readonly memoryReason: string;
  /** Logical cores that this process may use, at least 1. */
  readonly cores: number;
  readonly coresReason: string;
  /** Whether clocks are lowered or capped at this moment; undefined where the machine does not tell. */
  readonly throttledNow: boolean | undefined;
  /** Whether the supply voltage is too low at this moment; undefined where the machine does not tell. */
  readonly underVoltageNow: boolean | undefined;
}

const MIB = 1024 * 1024;

/** Kept for the agent, the decoder and the system: a sixteenth of memory, within these bounds. */
const RESERVE = { share: 1 / 16, minBytes: 64 * MIB, maxBytes: 512 * MIB };

/** Works out what the machine, its control groups and its affinity mask leave for models. */
export function budgetOf(report: HardwareReport): MachineBudget {
  const now = dataOf(report.throttling)?.now;
  const slowed = [now?.throttled, now?.frequencyCapped, now?.softTemperatureLimit].filter(
    (value) => value !== undefined,
  );
  return {
    ...memoryBudget(report),
    ...coreBudget(report),
    throttledNow: slowed.length === 0 ? undefined : slowed.includes(true),
    underVoltageNow: now?.underVoltage,
  };
}

function memoryBudget(report: HardwareReport): Pick<MachineBudget, 'memoryBytes' | 'memoryReason'> {
  const memory = dataOf(report.memory);
  const limit = memory?.cgroup?.memoryLimitBytes;
  const bounds = [
    { bytes: memory?.availableBytes, reason: 'memory the kernel has available' },
    { bytes: minus(limit, memory?.cgroup?.memoryUsedBytes ?? 0), reason: 'what the control group has left' },
  ].flatMap(({ bytes, reason }) => (bytes === undefined ? [] : [{ bytes, reason }]));
  const tightest = bounds.sort((a, b) => a.bytes - b.bytes)[0];
  if (tightest === undefined) return { memoryBytes: undefined, memoryReason: 'the machine tells no memory' };
  const wholeBytes = Math.min(
    memory?.totalBytes ?? Number.POSITIVE_INFINITY,
    limit ?? Number.POSITIVE_INFINITY,
  );
  const share = Number.isFinite(wholeBytes) ? wholeBytes * RESERVE.share : 0;
  const reserveBytes = Math.round(Math.min(RESERVE.maxBytes, Math.max(RESERVE.minBytes, share)));
  return {
    memoryBytes: Math.max(0, tightest.bytes - reserveBytes),
    memoryReason: `${tightest.reason}, less a reserve of ${Math.round(reserveBytes / MIB)} MiB`,
  };
}

function coreBudget(report: HardwareReport): Pick<MachineBudget, 'cores' | 'coresReason'> {
  const cpu = dataOf(report.cpu);
  const quota = dataOf(report.memory)?.cgroup?.cpuQuotaCores;
  const bounds = [
    { cores: cpu?.logicalCores, reason: 'logical cores of the CPU' },
    { cores: cpu?.allowedCpus?.length, reason: 'CPUs of the affinity mask' },
    { cores: quota === undefined ? undefined : Math.floor(quota), reason: 'CPU quota of the control group' },
  ].flatMap(({ cores, reason }) => (cores === undefined ? [] : [{ cores: Math.max(1, cores), reason }]));
  const tightest = bounds.sort((a, b) => a.cores - b.cores)[0];
  return tightest === undefined
    ? { cores: 1, coresReason: 'the machine tells no cores' }
    : { cores: tightest.cores, coresReason: tightest.reason };
}

function minus(bytes: number | undefined, usedBytes: number): number | undefined {
  return bytes === undefined ? undefined : Math.max(0, bytes - usedBytes);
}
