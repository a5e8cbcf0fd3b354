import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { compareLatency } from './compare-latency.ts';
import { perRound } from './interleave.ts';
import type { Bench, Measurement } from './measurement.ts';

const ADDED: Goal = {
  name: 'tiny-added-latency',
  goal: 'median latency of a tiny model over the socket, less that of session.run in a process of its own',
  unit: 'µs',
  limit: 130,
  bound: 'at most',
};

/** The tiny model on one connection: all that is not the model. */
export const tinyLatency: Measurement = { name: 'tiny-latency', goals: [ADDED], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const extent = { rounds: bench.quick ? 10 : 200, requests: 50, warmUp: bench.quick ? 200 : 2000 };
  const { inProcess, bare, agent } = await compareLatency(bench, bench.tiny, extent);
  const addedUs = (side: readonly number[]): number[] =>
    perRound(side, inProcess, (total, run) => (total - run) * 1000);
  const peers = { 'bare server µs': median(addedUs(bare)), 'in-process run µs': median(inProcess) * 1000 };
  return [figure(ADDED, { ...overRounds(addedUs(agent)), peers })];
}
