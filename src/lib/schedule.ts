import { type Clock, systemClock } from './clock.ts';
import { reasonOf, SelvageError } from './errors.ts';

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
}

/** Tells when an expression matches next after the present wall time. */
type NextRun = () => [soonest: number, second: number];

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
  const planned = await Promise.all(tasks.map(async (task) => ({ task, next: await nextRunOf(task) })));
  const stops = planned.map(({ task, next }) => repeat(task, next, options));
  return () => {
    for (const stop of stops) stop();
  };
}

function repeat(
  { name, task }: RecurringTask,
  next: NextRun,
  { onError, clock = systemClock }: ScheduleOptions,
): () => void {
  let cancel = (): void => undefined;
  let stopped = false;
  let seen = clock.now();
  let [due] = next();

  const wake = async (): Promise<void> => {
    const now = clock.now();
    if (now < seen - SET_BACK_MS) [due] = next();
    if (now >= due) {
      await Promise.resolve()
        .then(task)
        .catch((thrown: unknown) => onError(name, thrown));
      due = following(due, next());
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

/** The time after the one just served; not that one again because the clock was set back a little meanwhile. */
function following(served: number, [soonest, second]: [number, number]): number {
  const again = soonest <= served && soonest > served - SET_BACK_MS;
  return again ? second : soonest;
}

async function nextRunOf({ name, expression }: RecurringTask): Promise<NextRun> {
  // Loaded only where something is scheduled: it takes 5 MB.
  const { createTask } = await import('node-cron');
  try {
    const reader = createTask(expression, () => undefined);
    return () => {
      const [soonest = new Date(), second = soonest] = reader.getNextRuns(2);
      return [soonest.getTime(), second.getTime()];
    };
  } catch (thrown) {
    const problems = `schedule.${name}: ${JSON.stringify(expression)} is no cron expression: ${reasonOf(thrown)}`;
    throw SelvageError.of('CONFIG_INVALID', { problems }, thrown);
  }
}
