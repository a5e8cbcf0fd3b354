import { median } from '../quantiles.ts';
import { setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { HelperProcess } from './helper-process.ts';
import type { InProcessQuestion } from './in-process-main.ts';
import { interleave } from './interleave.ts';
import { LeanClient } from './lean-client.ts';
import { type Bench, modelsOf } from './measurement.ts';
import type { Workload } from './workload.ts';

/** Median milliseconds of each block of requests. */
export interface Latencies {
  readonly inProcess: number[];
  readonly bare: number[];
  readonly agent: number[];
}

/** How many blocks of how many requests, and as many requests beforehand as warm everything up. */
export interface Extent {
  readonly rounds: number;
  readonly requests: number;
  readonly warmUp: number;
}

/**
 * One request after the other on one connection: to the agent, to the bare server, and as runs in a process that does
 * nothing else, in blocks that take turns.
 */
export async function compareLatency(bench: Bench, workload: Workload, extent: Extent): Promise<Latencies> {
  const { workplace } = bench;
  const bare = await BareProcess.start(workplace, [workload]);
  const agent = await bench.startAgent(setUpAgent(workplace, modelsOf([workload])));
  const inProcess = new HelperProcess<InProcessQuestion, number[]>(workplace, './in-process-main.js', [
    workload.modelPath,
    workload.inputShape.join(','),
  ]);
  const bareClient = await LeanClient.connect(bare.socketPath);
  const agentClient = await LeanClient.connect(agent.setup.socketPath);
  const block = (requests: number) => ({
    inProcess: async () => median(await inProcess.ask({ runs: requests })),
    bare: async () => median(await sendMany(bareClient, workload, requests)),
    agent: async () => median(await sendMany(agentClient, workload, requests)),
  });
  await interleave(1, block(extent.warmUp));
  const latencies = await interleave(extent.rounds, block(extent.requests));
  bareClient.close();
  agentClient.close();
  await Promise.all([inProcess.stop(), bare.stop(), agent.stop()]);
  return latencies;
}

/** Sends the workload's request `count` times; milliseconds each. Rejects where it is not answered with 200. */
export async function sendMany(client: LeanClient, workload: Workload, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let sent = 0; sent < count; sent++) {
    const { status, body, elapsedMs } = await client.send(workload.request);
    if (status !== 200) throw new Error(`${workload.model}: status ${status}: ${body.toString()}`);
    times.push(elapsedMs);
  }
  return times;
}
