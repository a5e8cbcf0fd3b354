import { access } from 'node:fs/promises';
import { type Check, type CheckResult, failure, ok, warning } from './check.ts';

/** No build of Selvage is older: a clock before it was never set. */
const FIRST_YEAR = 2025;

const TIMESYNC = '/run/systemd/timesync';

/** Checks the clock: boards without a battery start in the past until they reach a time server. */
export const checkClock: Check = async () => [
  judgeClock(new Date(), (await exists(TIMESYNC)) ? await exists(`${TIMESYNC}/synchronized`) : undefined),
];

/** Judges a time; `synchronized` is undefined where systemd-timesyncd does not run. */
export function judgeClock(now: Date, synchronized: boolean | undefined): CheckResult {
  const found = now.toISOString();
  const advice =
    'Switch time synchronization on with `timedatectl set-ntp true`, and let the machine reach a time server.';
  if (now.getUTCFullYear() < FIRST_YEAR) return failure('clock', `${found} is in the past`, advice);
  if (synchronized === false) return warning('clock', `${found}, not synchronized since boot`, advice);
  return ok('clock', found);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
