import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { setUpAgent } from './agent-process.ts';
import { HelperProcess } from './helper-process.ts';
import { interleave, perRound, ratio } from './interleave.ts';
import type { LoadAnswer, LoadQuestion } from './load-client-main.ts';
import { type Bench, type Measurement, modelsOf } from './measurement.ts';

const CLIENTS = 4;

const COST: Goal = {
  name: 'request-log-cost',
  goal: 'p99 latency of 4 clients on the tiny model with the request log on, as a multiple of that with it off',
  unit: '×',
  limit: 1.1,
  bound: 'at most',
};

/** Two agents that differ in the request log only. */
export const requestLog: Measurement = { name: 'request-log', goals: [COST], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const { workplace, tiny, quick } = bench;
  const start = (enabled: boolean) =>
    bench.startAgent(setUpAgent(workplace, modelsOf([tiny]), { requestLog: { enabled } }));
  const agents = { on: await start(true), off: await start(false) };
  const clients = new HelperProcess<LoadQuestion, LoadAnswer>(workplace, './load-client-main.js');
  const round = (socketPath: string) => (): Promise<LoadAnswer> => {
    const load = { socketPath, requestPath: tiny.requestPath, connections: CLIENTS };
    return clients.ask({ ...load, durationMs: quick ? 150 : 2000 });
  };
  const sides = { on: round(agents.on.setup.socketPath), off: round(agents.off.setup.socketPath) };
  await interleave(1, sides); // Warms up.
  const { on, off } = await interleave(quick ? 3 : 12, sides);
  await Promise.all([clients.stop(), agents.on.stop(), agents.off.stop()]);
  const p99 = (answers: readonly LoadAnswer[]): number[] => answers.map(({ p99Us }) => p99Us);
  const rate = (answers: readonly LoadAnswer[]): number => median(answers.map(({ perSecond }) => perSecond));
  return [
    figure(COST, {
      ...overRounds(perRound(p99(on), p99(off), ratio)),
      peers: {
        'on p99 µs': median(p99(on)),
        'off p99 µs': median(p99(off)),
        'on requests/s': rate(on),
        'off requests/s': rate(off),
      },
    }),
  ];
}
