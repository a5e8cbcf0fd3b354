import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figure, type Goal, notMeasured } from '../figure.ts';
import { median } from '../quantiles.ts';
import { type AgentProcess, setUpAgent } from './agent-process.ts';
import { type Bench, type Measurement, modelsOf, NO_MOBILENET, workloadsOf } from './measurement.ts';
import { memoryBytes } from './process-figures.ts';

const MB = 1e6;
const SETTLE_MS = 2000;

const TINY: Goal = {
  name: 'memory-growth-100-load-cycles',
  goal: 'anonymous memory of the agent after 100 times load and unload of the tiny model, less that after 10',
  unit: 'MB',
  limit: 2,
  bound: 'at most',
};
const MOBILENET: Goal = {
  name: 'memory-growth-10-mobilenet-cycles',
  goal: 'anonymous memory of the agent after 10 more times with MobileNetV2, less that before',
  unit: 'MB',
  limit: 2,
  bound: 'at most',
};

/** What loading and unloading leaves behind in the agent. */
export const loadCycles: Measurement = { name: 'load-cycles', goals: [TINY, MOBILENET], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const agent = await bench.startAgent(setUpAgent(bench.workplace, modelsOf(workloadsOf(bench))));
  const cycles = bench.quick ? 6 : 100;
  const first = bench.quick ? 2 : 10;
  const samples: number[] = [];
  await cycle(agent, 'tiny', first, samples);
  const before = await settled(bench, agent);
  await cycle(agent, 'tiny', cycles - first, samples);
  const after = await settled(bench, agent);
  const tiny = figure(TINY, {
    value: (after - before) / MB,
    peers: { 'before MB': before / MB, 'after MB': after / MB, 'trend kB a cycle': trend(samples) / 1000 },
    note: `${cycles} cycles`,
  });
  if (bench.mobilenet === undefined) return [tiny, notMeasured(MOBILENET, NO_MOBILENET)];
  await cycle(agent, 'mobilenet', bench.quick ? 2 : 10, samples);
  const last = await settled(bench, agent);
  await agent.stop();
  return [tiny, figure(MOBILENET, { value: (last - after) / MB, peers: { 'after MB': last / MB } })];
}

async function cycle(agent: AgentProcess, model: string, times: number, samples: number[]): Promise<void> {
  for (let count = 0; count < times; count++) {
    await agent.repository(model, 'unload');
    await agent.repository(model, 'load');
    samples.push(memoryBytes(agent.pid, 'RssAnon'));
  }
}

async function settled(bench: Bench, agent: AgentProcess): Promise<number> {
  await sleep(bench.quick ? 300 : SETTLE_MS);
  return memoryBytes(agent.pid, 'RssAnon');
}

/** Slope of the line through the samples (Theil and Sen: the median of all slopes), per sample. */
function trend(samples: readonly number[]): number {
  const slopes = samples.flatMap((left, at) =>
    samples.slice(at + 1).map((right, distance) => (right - left) / (distance + 1)),
  );
  return median(slopes);
}
