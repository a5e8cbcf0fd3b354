import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { slowModel } from '../../test/models.ts';
import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { type AgentProcess, setUpAgent } from './agent-process.ts';
import { LeanClient, requestBytes } from './lean-client.ts';
import { type Bench, type Measurement, modelsOf, workloadsOf } from './measurement.ts';
import type { Workload } from './workload.ts';

const GIVE_UP_MS = 20_000;
const POLL_MS = 1;

const BACK: Goal = {
  name: 'killed-runner-to-answer',
  goal: 'from SIGKILL of a runner to the first answer of the next one',
  unit: 'ms',
  limit: 400,
  bound: 'at most',
};
const REFUSED: Goal = {
  name: 'killed-runner-to-503',
  goal: 'from SIGKILL of a runner to the 503 of the request that was running in it',
  unit: 'ms',
  limit: 50,
  bound: 'at most',
};

/** Kills runners, the first time since they were loaded: then the agent starts another one without waiting. */
export const recovery: Measurement = { name: 'recovery', goals: [BACK, REFUSED], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const workload = bench.mobilenet ?? bench.tiny;
  const slowPath = join(bench.workplace.subdirectory(), 'slow.onnx');
  writeFileSync(slowPath, slowModel());
  const models = { ...modelsOf(workloadsOf(bench)), slow: { source: slowPath, timeoutMs: 60_000 } };
  const agent = await bench.startAgent(setUpAgent(bench.workplace, models));
  const backMs: number[] = [];
  const refusedMs: number[] = [];
  for (let round = 0; round < (bench.quick ? 2 : 10); round++) {
    backMs.push(await timeToAnswer(agent, workload));
    refusedMs.push(await timeToRefusal(agent));
  }
  const tinyMs = bench.mobilenet === undefined ? undefined : await timeToAnswer(agent, bench.tiny);
  await agent.stop();
  return [
    figure(BACK, {
      ...overRounds(backMs),
      ...(tinyMs !== undefined && { peers: { 'tiny model, once, ms': tinyMs } }),
      note: `model: ${workload.model}`,
    }),
    figure(REFUSED, { ...overRounds(refusedMs), peers: { 'median ms': median(refusedMs) } }),
  ];
}

async function timeToAnswer(agent: AgentProcess, workload: Workload): Promise<number> {
  await agent.repository(workload.model, 'load'); // Forgets the runners that ended before.
  const client = await LeanClient.connect(agent.setup.socketPath);
  await client.send(workload.request);
  const killedAt = await killRunner(agent, workload.model);
  while (performance.now() - killedAt < GIVE_UP_MS) {
    const { status } = await client.send(workload.request);
    if (status === 200) {
      client.close();
      return performance.now() - killedAt;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`no answer within ${GIVE_UP_MS} ms after the runner was killed`);
}

async function timeToRefusal(agent: AgentProcess): Promise<number> {
  await agent.repository('slow', 'load');
  const client = await LeanClient.connect(agent.setup.socketPath);
  const running = client.send(slowRequest());
  await sleep(50);
  const killedAt = await killRunner(agent, 'slow');
  const { status, body } = await running;
  const tookMs = performance.now() - killedAt;
  client.close();
  if (status !== 503) throw new Error(`expected 503, got ${status}: ${body.toString()}`);
  return tookMs;
}

/** Ends the runner that the agent names; returns when. */
async function killRunner(agent: AgentProcess, model: string): Promise<number> {
  const pid = await agent.runnerPid(model);
  process.kill(pid, 'SIGKILL');
  return performance.now();
}

/** A run that would take weeks. */
function slowRequest(): Buffer {
  const inputs = [{ name: 'iterations', shape: [1], datatype: 'INT64', data: [2 ** 40] }];
  return requestBytes('POST', '/v2/models/slow/infer', Buffer.from(JSON.stringify({ inputs })), {
    'Content-Type': 'application/json',
  });
}
