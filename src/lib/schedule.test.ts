import assert from 'node:assert/strict';
import { describe, it, mock, type TestContext } from 'node:test';
import { ManualClock } from '../../test/manual-clock.ts';
import type { Clock } from './clock.ts';
import { nextRuns } from './next-runs.ts';
import { type RecurringTask, startSchedule } from './schedule.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const STEP_MS = 10_000;

/** Wall time of a day at an hour and minute, as cron expressions mean it. */
function at(day: number, hour: number, minute: number): number {
  return new Date(2030, 0, day, hour, minute).getTime();
}

interface Setup {
  readonly runs: number[];
  readonly clock: Clock;
  /** Lets time pass, ten seconds at a time. */
  readonly pass: (ms: number) => Promise<void>;
  /** Sets the wall clock and leaves waiting times as they are. */
  readonly jumpTo: (wall: number) => void;
  readonly stop: () => void;
}

type MakeTask = (setup: Omit<Setup, 'stop'>) => Partial<RecurringTask>;

/** Starts a task on a clock that reads `now` and is moved by hand; `runs` holds when it ran. */
async function start(t: TestContext, now: number, makeTask: MakeTask = () => ({})): Promise<Setup> {
  mock.timers.enable({ apis: ['Date'], now });
  t.after(() => mock.timers.reset());
  const manual = new ManualClock(now);
  const runs: number[] = [];
  const setup = {
    runs,
    clock: {
      now: () => manual.now(),
      monotonic: () => manual.monotonic(),
      after: (delayMs: number, callback: () => void) =>
        manual.after(delayMs, () => {
          mock.timers.setTime(manual.now());
          callback();
        }),
    },
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= STEP_MS) {
        manual.advance(Math.min(left, STEP_MS));
        mock.timers.setTime(manual.now());
        // The schedule awaits its tasks.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    jumpTo: (wall: number) => {
      manual.jumpTo(wall);
      mock.timers.setTime(wall);
    },
  };
  const note = (): void => void runs.push(Date.now());
  const task = { name: 'retention', expression: '17 3 * * *', task: note, ...makeTask(setup) };
  const onError = (name: string, thrown: unknown): void => void runs.push(name.length, String(thrown).length);
  const inProcess = async (expression: string) => nextRuns(expression); // Where `Date` is the test's.
  const stop = await startSchedule([task], { onError, clock: setup.clock, nextRuns: inProcess });
  t.after(stop);
  return { ...setup, stop };
}

describe('startSchedule', () => {
  it('runs a task at the times of its expression', async (t) => {
    const { runs, pass } = await start(t, at(1, 3, 0));
    await pass(2 * DAY_MS);
    assert.deepEqual(runs, [at(1, 3, 17), at(2, 3, 17)]);
  });

  it('takes expressions with seconds', async (t) => {
    const { runs, pass } = await start(t, at(1, 3, 0), () => ({ expression: '*/20 * * * * *' }));
    for (let second = 0; second < 60; second += 1) await pass(1000);
    assert.deepEqual(
      runs,
      [20, 40, 60].map((second) => at(1, 3, 0) + second * 1000),
    );
  });

  it('makes up once for all that was missed when the clock jumps ahead', async (t) => {
    const everyMinute = (): Partial<RecurringTask> => ({ expression: '* * * * *' });
    const { runs, pass, jumpTo } = await start(t, new Date(1970, 0, 2).getTime(), everyMinute);
    jumpTo(at(1, 12, 0) + 30_000);
    await pass(MINUTE_MS);
    assert.equal(runs.length, 1);
    await pass(3 * MINUTE_MS);
    assert.deepEqual(runs.slice(1), [at(1, 12, 2), at(1, 12, 3), at(1, 12, 4)]);
  });

  it('goes on when the clock is set back by years', async (t) => {
    const { runs, pass, jumpTo } = await start(t, at(3650, 3, 0));
    await pass(MINUTE_MS);
    jumpTo(at(1, 3, 0));
    await pass(DAY_MS);
    assert.deepEqual(runs, [at(1, 3, 17)]);
  });

  it('does not run twice when the clock is set back a little', async (t) => {
    const { runs, pass } = await start(t, at(1, 3, 16), ({ runs, jumpTo }) => ({
      task: () => {
        runs.push(Date.now());
        if (runs.length === 1) jumpTo(at(1, 3, 16) + 30_000);
      },
    }));
    await pass(30 * MINUTE_MS);
    assert.equal(runs.length, 1);
  });

  it('does not start a task while it runs', async (t) => {
    let running = 0;
    let most = 0;
    const { runs, pass } = await start(t, at(1, 3, 0), ({ runs, clock }) => ({
      expression: '* * * * *',
      task: async () => {
        runs.push(Date.now());
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => clock.after(4.5 * MINUTE_MS, resolve));
        running -= 1;
      },
    }));
    await pass(30 * MINUTE_MS);
    assert.equal(most, 1);
    assert.deepEqual(
      runs,
      [1, 6, 11, 16, 21, 26].map((minute) => at(1, 3, minute)),
    );
  });

  it('reports what a task throws and runs it again', async (t) => {
    let calls = 0;
    const { runs, pass } = await start(t, at(1, 3, 0), () => ({
      task: () => {
        calls += 1;
        throw new Error('boom');
      },
    }));
    await pass(2 * DAY_MS);
    assert.equal(calls, 2);
    assert.deepEqual(runs.slice(0, 2), ['retention'.length, 'Error: boom'.length]);
  });

  it('runs nothing after it was stopped, also when stopped in mid-run', async (t) => {
    const everyMinute = (): Partial<RecurringTask> => ({ expression: '* * * * *' });
    const waiting = await start(t, at(1, 3, 0), everyMinute);
    await waiting.pass(MINUTE_MS);
    waiting.stop();
    await waiting.pass(5 * MINUTE_MS);
    assert.equal(waiting.runs.length, 1);
    mock.timers.reset();

    const running = await start(t, at(1, 3, 0), ({ runs }) => ({
      expression: '* * * * *',
      task: () => {
        runs.push(Date.now());
        running.stop();
      },
    }));
    await running.pass(5 * MINUTE_MS);
    assert.equal(running.runs.length, 1);
  });

  it('refuses an expression that is none', async () => {
    const tasks = [{ name: 'retention', expression: 'every day', task: () => undefined }];
    await assert.rejects(startSchedule(tasks, { onError: assert.fail }), {
      code: 'CONFIG_INVALID',
      message: /^schedule\.retention: "every day" is no cron expression/,
    });
  });
});
