import { type Figure, figure, type Goal, notMeasured } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { compareLatency } from './compare-latency.ts';
import { perRound, ratio } from './interleave.ts';
import { type Bench, type Measurement, NO_MOBILENET } from './measurement.ts';

const OVER_IN_PROCESS: Goal = {
  name: 'mobilenet-over-in-process',
  goal: 'latency of MobileNetV2 over the socket (binary), as a multiple of session.run in a process of its own',
  unit: '×',
  limit: 1.2,
  bound: 'at most',
};
const OVER_BARE: Goal = {
  name: 'mobilenet-over-bare-server',
  goal: 'the same latency, as a multiple of a bare node:http server with inference in its own process',
  unit: '×',
  limit: 1.08,
  bound: 'at most',
};

/** MobileNetV2 on one connection: 602 KB in, 4 KB out. */
export const mobilenetLatency: Measurement = {
  name: 'mobilenet-latency',
  goals: [OVER_IN_PROCESS, OVER_BARE],
  measure,
};

async function measure(bench: Bench): Promise<Figure[]> {
  const { mobilenet, quick } = bench;
  if (mobilenet === undefined) {
    return [notMeasured(OVER_IN_PROCESS, NO_MOBILENET), notMeasured(OVER_BARE, NO_MOBILENET)];
  }
  const extent = { rounds: quick ? 5 : 80, requests: 10, warmUp: quick ? 10 : 100 };
  const { inProcess, bare, agent } = await compareLatency(bench, mobilenet, extent);
  const bareRatio = median(perRound(bare, inProcess, ratio));
  const peers = { 'in-process ms': median(inProcess), 'bare ms': median(bare), 'agent ms': median(agent) };
  return [
    figure(OVER_IN_PROCESS, {
      ...overRounds(perRound(agent, inProcess, ratio)),
      peers: { ...peers, 'bare server ×': bareRatio },
      note: 'stretch goal: 1.10×',
    }),
    figure(OVER_BARE, { ...overRounds(perRound(agent, bare, ratio)), peers }),
  ];
}
