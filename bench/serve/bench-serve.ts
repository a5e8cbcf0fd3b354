import { printJson, printLines } from '../../src/cli/output.ts';
import { reasonOf } from '../../src/lib/errors.ts';
import { type Figure, formatFigures, notMeasured } from '../figure.ts';
import { startAgent } from './agent-process.ts';
import { describeMachine } from './machine.ts';
import type { Bench, Measurement } from './measurement.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { mobilenetWorkload, tinyWorkload } from './workload.ts';
import { Workplace } from './workplace.ts';

/** A measurement that takes longer hangs. */
const TIME_LIMIT_MS = 240_000;
const INTERRUPTED_EXIT = 130;

/**
 * Runs `bench serve`. Resolves with the exit code: 0 when everything could be measured, whether or not the goals are
 * met, 1 when something could not.
 */
export async function benchServe(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const workplace = new Workplace();
  process.once('exit', () => workplace.close());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(INTERRUPTED_EXIT));
  }
  return run(options, workplace);
}

async function run(options: Options, workplace: Workplace): Promise<number> {
  const bench = createBench(options, workplace);
  const startedAt = new Date().toISOString();
  const before = describeMachine();
  const figures: Figure[] = [];
  let failed = false;
  for (const measurement of options.measurements) {
    bench.progress(`${measurement.name} …`);
    try {
      figures.push(...(await withinTime(measurement, bench)));
    } catch (error) {
      failed = true;
      bench.progress(`${measurement.name} failed: ${reasonOf(error)}`);
      figures.push(...measurement.goals.map((goal) => notMeasured(goal, `failed: ${reasonOf(error)}`)));
    }
    workplace.killChildren();
  }
  const machine = { ...before, loadAverageAfter: describeMachine().loadAverage };
  if (options.json) printJson({ benchmark: 'serve', startedAt, quick: options.quick, machine, figures });
  else printLines('', formatFigures(figures), '', describeRun(machine));
  return failed ? 1 : 0;
}

function createBench({ assetsDir, quick, profileDir }: Options, workplace: Workplace): Bench {
  const requests = workplace.subdirectory();
  return {
    workplace,
    quick,
    tiny: tinyWorkload(requests),
    mobilenet: assetsDir === undefined ? undefined : mobilenetWorkload(requests, assetsDir),
    startAgent: (setup) => startAgent(workplace, setup, profileDir),
    progress: (text) => process.stderr.write(`bench: ${text}\n`),
  };
}

/** Ends what a measurement started when it takes too long, which makes it fail. */
async function withinTime(measurement: Measurement, bench: Bench): Promise<Figure[]> {
  const work = measurement.measure(bench);
  work.catch(() => {}); // After the time limit nobody waits for it.
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it took longer than ${TIME_LIMIT_MS / 1000} s`)),
      TIME_LIMIT_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describeRun(machine: ReturnType<typeof describeMachine> & { loadAverageAfter: number }): string {
  const { cpu, cores, memoryMiB, kernel, node, loadAverage, loadAverageAfter } = machine;
  return `${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}, Node ${node}; load ${loadAverage} before, ${loadAverageAfter} after`;
}
