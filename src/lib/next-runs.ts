import { createTask } from 'node-cron';

/** The next two times at which a cron expression matches, in milliseconds since the epoch, from now on. */
export type NextRuns = readonly [soonest: number, second: number];

/** Reads a cron expression with node-cron; throws node-cron's error for what is none. */
export function nextRuns(expression: string): NextRuns {
  const [soonest = new Date(), second = soonest] = createTask(expression, () => undefined).getNextRuns(2);
  return [soonest.getTime(), second.getTime()];
}
