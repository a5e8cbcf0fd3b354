import { runJob } from './child/job.ts';
import { type Clock, systemClock } from './clock.ts';
import { reasonOf, SelvageError } from './errors.ts';
import type { NextRuns } from './next-runs.ts';

const NEXT_RUNS_JOB = new URL('./next-runs-job.js', import.meta.url);
const READ_TIMEOUT_MS = 30_000;
/** A task whose next time cannot be found out runs again after this time. */
const UNREADABLE_WAIT_MS = 3_600_000;

/** Longest wait until the wall clock is looked at again, so that a jump of it is noticed. */
const LOOK_AGAIN_MS = 60_000;
/** A clock set back by less than this leaves the next run where it is; more, and it is planned anew. */
const SET_BACK_MS = 5 * 60_000;

/** Recurring work. */
export interface RecurringTask {
  readonly name: string;
  /** Cron expression of five fields, or six with seconds first, in local time. */
  readonly expression: string;
  readonly task: () => void | Promise<void>;
}

/** How a schedule reports. */
export interface ScheduleOptions {
  /** Told what a task threw; the task runs again at its next time. */
  readonly onError: (name: string, thrown: unknown) => void;
  /** Keeps the waiting time; what a cron expression means is read off `Date`. */
  readonly clock?: Clock | undefined;
  /** Reads an expression: when it matches next, as seen from now. By default node-cron, in a child process. */
  readonly nextRuns?: ((expression: string) => Promise<NextRuns>) | undefined;
}

/**
 * Runs each task at the times of its cron expression, never twice at a time, until the returned function is called
 * (what runs then is not interrupted). Throws CONFIG_INVALID for an expression that node-cron does not take.
 *
 * node-cron reads the expressions but does not keep the time: after the clock jumps forward its own timers walk
 * through every time missed, in one piece and with a warning for each (40 ms for 1,000, minutes for a board that
 * started in 1970), and after it is set back they stay silent until the old time comes again. Here one run makes up
 * for all that were missed, and a clock set back only plans the next run anew.
 */
export async function startSchedule(
  tasks: readonly RecurringTask[],
  options: ScheduleOptions,
): Promise<() => void> {
  const planned = await Promise.all(
    tasks.map(async (task) => ({ task, first: await firstRun(task, options) })),
  );
  const stops = planned.map(({ task, first }) => repeat(task, first, options));
  return () => {
    for (const stop of stops) stop();
  };
}

function repeat(
  { name, expression, task }: RecurringTask,
  first: number,
  { onError, clock = systemClock, nextRuns = nextRunsInChild }: ScheduleOptions,
): () => void {
  let cancel = (): void => undefined;
  let stopped = false;
  let seen = clock.now();
  let due = first;

  const wake = async (): Promise<void> => {
    const now = clock.now();
    try {
      if (now < seen - SET_BACK_MS) [due] = await nextRuns(expression);
      if (now >= due) {
        await Promise.resolve()
          .then(task)
          .catch((thrown: unknown) => onError(name, thrown));
        due = following(due, await nextRuns(expression));
      }
    } catch (thrown) {
      // The expression was good before, so its reader failed for reasons of its own.
      onError(name, thrown);
      due = clock.now() + UNREADABLE_WAIT_MS;
    }
    seen = clock.now();
    wait();
  };
  const wait = (): void => {
    if (stopped) return;
    const delayMs = Math.max(0, Math.min(due - clock.now(), LOOK_AGAIN_MS));
    cancel = clock.after(delayMs, () => void wake());
  };
  wait();
  return () => {
    stopped = true;
    cancel();
  };
}

async function firstRun(
  { name, expression }: RecurringTask,
  { nextRuns = nextRunsInChild }: ScheduleOptions,
): Promise<number> {
  try {
    const [soonest] = await nextRuns(expression);
    return soonest;
  } catch (thrown) {
    const problems = `schedule.${name}: ${JSON.stringify(expression)} is no cron expression: ${reasonOf(thrown)}`;
    throw SelvageError.of('CONFIG_INVALID', { problems }, thrown);
  }
}

/** The time after the one just served; not that one again because the clock was set back a little meanwhile. */
function following(served: number, [soonest, second]: NextRuns): number {
  const again = soonest <= served && soonest > served - SET_BACK_MS;
  return again ? second : soonest;
}

/** Asks a child process, where no other reader is given: see `next-runs-job.ts`. */
function nextRunsInChild(expression: string): Promise<NextRuns> {
  return runJob<{ expression: string }, NextRuns>(
    NEXT_RUNS_JOB,
    { expression },
    { timeoutMs: READ_TIMEOUT_MS },
  );
}
