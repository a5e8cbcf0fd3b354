import type { LoadedConfig } from '../../config/load.ts';
import type { HardwareReport } from '../../hardware/hardware-report.ts';

/** What one check of `selvage doctor` says. */
export interface CheckResult {
  readonly check: string;
  /** `warning`: it works, but not as well or not for long. */
  readonly status: 'ok' | 'warning' | 'failed';
  /** What there is. */
  readonly found: string;
  /** What to do about it; absent when there is nothing to do. */
  readonly advice?: string;
}

/** What the checks look at. */
export interface CheckContext {
  readonly report: HardwareReport;
  /** Path of the configuration, and what loading it gave. */
  readonly configPath: string;
  readonly config: LoadedConfig | Error;
}

/** One check: never throws for a fault it looks for, gives nothing where it does not apply. */
export type Check = (context: CheckContext) => CheckResult[] | Promise<CheckResult[]>;

/** A result without a fault. */
export function ok(check: string, found: string): CheckResult {
  return { check, status: 'ok', found };
}

/** A result with a fault that serving survives. */
export function warning(check: string, found: string, advice: string): CheckResult {
  return { check, status: 'warning', found, advice };
}

/** A result with a fault that keeps Selvage from serving. */
export function failure(check: string, found: string, advice: string): CheckResult {
  return { check, status: 'failed', found, advice };
}
