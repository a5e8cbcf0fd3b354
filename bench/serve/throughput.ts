import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { HelperProcess } from './helper-process.ts';
import { interleave, perRound, ratio } from './interleave.ts';
import type { LoadAnswer, LoadQuestion } from './load-client-main.ts';
import { type Bench, type Measurement, modelsOf } from './measurement.ts';

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

async function measure(bench: Bench): Promise<Figure[]> {
  const { workplace, tiny, quick } = bench;
  const bare = await BareProcess.start(workplace, [tiny]);
  const plain = await bench.startAgent(setUpAgent(workplace, modelsOf([tiny])));
  const batched = await bench.startAgent(
    setUpAgent(workplace, modelsOf([tiny], { batch: { maxSize: CLIENTS } })),
  );
  const clients = new HelperProcess<LoadQuestion, LoadAnswer>(workplace, './load-client-main.js');
  const round = (socketPath: string) => async (): Promise<number> => {
    const load = { socketPath, requestPath: tiny.requestPath, connections: CLIENTS };
    return (await clients.ask({ ...load, durationMs: quick ? 150 : 2000 })).perSecond;
  };
  const sides = {
    bare: round(bare.socketPath),
    plain: round(plain.setup.socketPath),
    batched: round(batched.setup.socketPath),
  };
  await interleave(1, sides); // Warms up.
  const rates = await interleave(quick ? 3 : 8, sides);
  await Promise.all([clients.stop(), bare.stop(), plain.stop(), batched.stop()]);
  const bareRate = { 'bare requests/s': median(rates.bare) };
  return [
    figure(PLAIN, {
      ...overRounds(perRound(rates.plain, rates.bare, ratio)),
      peers: { 'agent requests/s': median(rates.plain), ...bareRate },
    }),
    figure(BATCHED, {
      ...overRounds(perRound(rates.batched, rates.bare, ratio)),
      peers: { 'agent requests/s': median(rates.batched), ...bareRate },
    }),
  ];
}
