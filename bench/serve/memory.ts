import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figure, type Goal, notMeasured } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { sendMany } from './compare-latency.ts';
import { LeanClient } from './lean-client.ts';
import { type Bench, type Measurement, modelsOf, NO_MOBILENET, workloadsOf } from './measurement.ts';
import { memoryBytes } from './process-figures.ts';

const SETTLE_MS = 2000;
const MB = 1e6;
const MIB = 1024 * 1024;

const AFTER_START: Goal = {
  name: 'agent-memory-after-start',
  goal: 'resident memory of the agent after a start with models imported before',
  unit: 'MB',
  limit: 60,
  bound: 'at most',
};
const AFTER_REQUESTS: Goal = {
  name: 'agent-memory-after-requests',
  goal: 'resident memory of the agent after 1,000 requests to each model',
  unit: 'MB',
  limit: 70,
  bound: 'at most',
};
const RUNNER: Goal = {
  name: 'mobilenet-runner-memory',
  goal: 'resident memory of the runner of MobileNetV2 after those requests',
  unit: 'MB',
  limit: 105,
  bound: 'at most',
};

/** Resident memory (`VmRSS`), in MB of a million bytes. */
export const memory: Measurement = { name: 'memory', goals: [AFTER_START, AFTER_REQUESTS, RUNNER], measure };

interface Sample {
  readonly afterStart: number;
  readonly afterRequests: number;
  readonly tinyRunner: number;
  readonly mobilenetRunner: number;
  readonly bareServer: number;
  readonly bareNode: number;
}

async function measure(bench: Bench): Promise<Figure[]> {
  const setup = setUpAgent(bench.workplace, modelsOf(workloadsOf(bench)));
  const importing = await bench.startAgent(setup); // What is measured is a start with imported models.
  await importing.stop();
  const samples: Sample[] = [];
  for (let round = 0; round < (bench.quick ? 1 : 3); round++) samples.push(await sample(bench, setup));
  const of = (key: keyof Sample): number[] => samples.map((one) => one[key]);
  const peer = (key: keyof Sample): number => median(of(key)) / MB;
  const bareNode = { 'bare Node MB': peer('bareNode') };
  return [
    figure(AFTER_START, { ...inMb(of('afterStart')), peers: bareNode }),
    figure(AFTER_REQUESTS, { ...inMb(of('afterRequests')), peers: bareNode }),
    bench.mobilenet === undefined
      ? notMeasured(RUNNER, NO_MOBILENET)
      : figure(RUNNER, {
          ...inMb(of('mobilenetRunner')),
          peers: { 'tiny runner MB': peer('tinyRunner'), 'bare server, both models MB': peer('bareServer') },
        }),
  ];
}

async function sample(bench: Bench, setup: ReturnType<typeof setUpAgent>): Promise<Sample> {
  const workloads = workloadsOf(bench);
  const settleMs = bench.quick ? 300 : SETTLE_MS;
  const node = bench.workplace.spawnNode(['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
  const bare = await BareProcess.start(bench.workplace, workloads);
  const agent = await bench.startAgent(setup);
  await sleep(settleMs);
  const afterStart = memoryBytes(agent.pid, 'VmRSS');
  const bareNode = memoryBytes(node.pid ?? 0, 'VmRSS');
  for (const socketPath of [bare.socketPath, agent.setup.socketPath]) {
    const client = await LeanClient.connect(socketPath);
    for (const workload of workloads) await sendMany(client, workload, bench.quick ? 100 : 1000);
    client.close();
  }
  await sleep(settleMs);
  const runnerBytes = async (model: string): Promise<number> =>
    memoryBytes(await agent.runnerPid(model), 'VmRSS');
  const result = {
    afterStart,
    afterRequests: memoryBytes(agent.pid, 'VmRSS'),
    tinyRunner: await runnerBytes('tiny'),
    mobilenetRunner: bench.mobilenet === undefined ? Number.NaN : await runnerBytes('mobilenet'),
    bareServer: memoryBytes(bare.pid, 'VmRSS'),
    bareNode,
  };
  await Promise.all([bench.workplace.stop(node), bare.stop(), agent.stop()]);
  return result;
}

function inMb(samples: readonly number[]) {
  const mib = median(samples) / MIB;
  return { ...overRounds(samples.map((bytes) => bytes / MB)), note: `${mib.toFixed(1)} MiB` };
}
