import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { HelperProcess } from './helper-process.ts';
import { interleave, perRound, ratio } from './interleave.ts';
import type { LoadAnswer, LoadQuestion } from './load-client-main.ts';
import { type Bench, type Measurement, modelsOf } from './measurement.ts';
import { cpuSeconds } from './process-figures.ts';

const CLIENTS = 8;

const PLAIN: Goal = {
  name: 'throughput-8-clients',
  goal: 'requests/s of 8 clients on the tiny model, as a multiple of the bare server',
  unit: '×',
  limit: 1,
  bound: 'at least',
};
const BATCHED: Goal = {
  name: 'throughput-8-clients-batched',
  goal: 'the same with batch.maxSize 8',
  unit: '×',
  limit: 1,
  bound: 'at least',
};

/** Eight clients in a closed loop, all in one process. */
export const throughput: Measurement = { name: 'throughput', goals: [PLAIN, BATCHED], measure };

/** What one round gave, and the processor time a request took in the process that serves and in its runner. */
interface Round {
  readonly perSecond: number;
  readonly serverUs: number;
  readonly runnerUs: number;
}

async function measure(bench: Bench): Promise<Figure[]> {
  const { workplace, tiny, quick } = bench;
  const bare = await BareProcess.start(workplace, [tiny]);
  const plain = await bench.startAgent(setUpAgent(workplace, modelsOf([tiny])));
  const batched = await bench.startAgent(
    setUpAgent(workplace, modelsOf([tiny], { batch: { maxSize: CLIENTS } })),
  );
  const clients = new HelperProcess<LoadQuestion, LoadAnswer>(workplace, './load-client-main.js');
  const round = (socketPath: string, server: number, runner?: number) => async (): Promise<Round> => {
    const before = [cpuSeconds(server), runner === undefined ? 0 : cpuSeconds(runner)] as const;
    const load = { socketPath, requestPath: tiny.requestPath, connections: CLIENTS };
    const { requests, perSecond } = await clients.ask({ ...load, durationMs: quick ? 150 : 2000 });
    return {
      perSecond,
      serverUs: ((cpuSeconds(server) - before[0]) * 1e6) / requests,
      runnerUs: runner === undefined ? 0 : ((cpuSeconds(runner) - before[1]) * 1e6) / requests,
    };
  };
  const sides = {
    bare: round(bare.socketPath, bare.pid),
    plain: round(plain.setup.socketPath, plain.pid, await plain.runnerPid('tiny')),
    batched: round(batched.setup.socketPath, batched.pid, await batched.runnerPid('tiny')),
  };
  await interleave(1, sides); // Warms up.
  const rounds = await interleave(quick ? 3 : 8, sides);
  await Promise.all([clients.stop(), bare.stop(), plain.stop(), batched.stop()]);
  return [report(PLAIN, rounds.plain, rounds.bare), report(BATCHED, rounds.batched, rounds.bare)];
}

function report(goal: Goal, agent: readonly Round[], bare: readonly Round[]): Figure {
  const of = (rounds: readonly Round[], key: keyof Round): number[] => rounds.map((one) => one[key]);
  return figure(goal, {
    ...overRounds(perRound(of(agent, 'perSecond'), of(bare, 'perSecond'), ratio)),
    peers: {
      'agent requests/s': median(of(agent, 'perSecond')),
      'bare requests/s': median(of(bare, 'perSecond')),
      'agent CPU µs a request': median(of(agent, 'serverUs')),
      'runner CPU µs a request': median(of(agent, 'runnerUs')),
      'bare CPU µs a request': median(of(bare, 'serverUs')),
    },
  });
}
