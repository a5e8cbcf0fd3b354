import { budgetOf } from '../../hardware/budget.ts';
import type { HardwareReport } from '../../hardware/hardware-report.ts';
import { dataOf } from '../../hardware/outcome.ts';
import { formatBytes } from '../format-bytes.ts';
import { type Check, type CheckResult, failure, ok, warning } from './check.ts';

const MIB = 1024 * 1024;

/** A runner with a MobileNetV2 takes about 105 MiB, one with a tiny model 60. */
const SCARCE_BYTES = 128 * MIB;
const TOO_LITTLE_BYTES = 48 * MIB;

/** Checks what memory is left for models, and whether the machine is slowed down. */
export const checkMachineState: Check = ({ report }) => [
  memoryResult(report),
  ...voltageResults(report),
  ...throttleResults(report),
];

/** Judges the memory that models may still take. */
export function memoryResult(report: HardwareReport): CheckResult {
  const { memoryBytes, memoryReason } = budgetOf(report);
  if (memoryBytes === undefined) return warning('memory', memoryReason, 'Mount /proc.');
  const limit = dataOf(report.memory)?.cgroup?.memoryLimitBytes;
  const found = `${formatBytes(memoryBytes)} for models: ${memoryReason}`;
  const advice =
    limit === undefined
      ? 'End other programs, or use smaller models.'
      : `Raise the limit of the control group (${formatBytes(limit)}; MemoryMax= of the unit), or use smaller models.`;
  if (memoryBytes < TOO_LITTLE_BYTES) return failure('memory', found, advice);
  return memoryBytes < SCARCE_BYTES ? warning('memory', found, advice) : ok('memory', found);
}

/** Judges the supply voltage, where the machine tells it. */
export function voltageResults(report: HardwareReport): CheckResult[] {
  const throttling = dataOf(report.throttling);
  const now = throttling?.now.underVoltage;
  const sinceBoot = throttling?.sinceBoot.underVoltage;
  if (now === undefined && sinceBoot === undefined) return [];
  const advice =
    'Use a supply and cable made for this board: under-voltage slows it down and can damage the card.';
  if (now === true) return [warning('supply voltage', 'too low now', advice)];
  if (sinceBoot === true) return [warning('supply voltage', 'was too low since boot', advice)];
  return [ok('supply voltage', 'good')];
}

/** Judges whether the clocks are lowered, where the machine tells it. */
export function throttleResults(report: HardwareReport): CheckResult[] {
  const { throttledNow } = budgetOf(report);
  if (throttledNow === undefined) return [];
  if (!throttledNow) return [ok('throttling', 'none now')];
  const causes = dataOf(report.throttling)?.causes ?? [];
  const found = ['slowed down now', ...causes].join(', ');
  return [
    warning(
      'throttling',
      found,
      'Cool the machine or its supply; measurements made now are not worth keeping.',
    ),
  ];
}
