import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figure, type Goal } from '../figure.ts';
import { setUpAgent } from './agent-process.ts';
import { type Bench, type Measurement, modelsOf, workloadsOf } from './measurement.ts';
import { cpuSeconds } from './process-figures.ts';

/** What an agent does right after its start is not idleness. */
const SETTLE_MS = 3000;

const IDLE: Goal = {
  name: 'idle-cpu',
  goal: 'processor time of the agent and its runners while nobody asks anything, as a share of one CPU',
  unit: '%',
  limit: 0.5,
  bound: 'at most',
};

/** Twenty seconds without a request. */
export const idleCpu: Measurement = { name: 'idle-cpu', goals: [IDLE], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const workloads = workloadsOf(bench);
  const agent = await bench.startAgent(setUpAgent(bench.workplace, modelsOf(workloads)));
  const runners = await Promise.all(workloads.map(({ model }) => agent.runnerPid(model)));
  await sleep(bench.quick ? 500 : SETTLE_MS);
  const pids = { agent: [agent.pid], runners };
  const used = (of: readonly number[]): number => of.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = { agent: used(pids.agent), runners: used(pids.runners) };
  const started = performance.now();
  await sleep(bench.quick ? 1000 : 20_000);
  const share = (seconds: number): number => (seconds * 1e5) / (performance.now() - started);
  const agentShare = share(used(pids.agent) - before.agent);
  const runnersShare = share(used(pids.runners) - before.runners);
  await agent.stop();
  return [
    figure(IDLE, {
      value: agentShare + runnersShare,
      peers: { 'agent %': agentShare, 'runners %': runnersShare },
      note: `models loaded: ${workloads.length}; the kernel counts in steps of 10 ms`,
    }),
  ];
}
