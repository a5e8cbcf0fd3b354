import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bigModel } from '../../test/models.ts';
import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds, quantile } from '../quantiles.ts';
import { type AgentProcess, setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { HelperProcess } from './helper-process.ts';
import { LeanClient, requestBytes } from './lean-client.ts';
import type { LoadAnswer, LoadQuestion } from './load-client-main.ts';
import { type LoopDelays, loopDelays } from './loop-histogram.ts';
import { type Bench, type Measurement, modelsOf } from './measurement.ts';

const POLL_MS = 2;
const BIG = 'big';

const DELAY: Goal = {
  name: 'loop-delay-while-loading',
  goal: 'p99 time to answer GET /v2/health/live, asked every 2 ms while a 100 MB model is imported and loads and another runs',
  unit: 'ms',
  limit: 5,
  bound: 'at most',
};

/** How long the agent's event loop is held up, seen from outside. */
export const loopDelay: Measurement = { name: 'loop-delay', goals: [DELAY], measure };

/** Milliseconds to an answer: of the agent, and of a server that does nothing else at the same moments. */
interface Polls {
  readonly agent: number[];
  readonly bare: number[];
}

async function measure(bench: Bench): Promise<Figure[]> {
  const { workplace, quick } = bench;
  const busy = bench.mobilenet ?? bench.tiny;
  const bigPath = join(workplace.subdirectory(), 'big.onnx');
  const bytes = bigModel(quick ? 8 : 100);
  writeFileSync(bigPath, bytes);
  const models = { ...modelsOf([busy]), [BIG]: { source: bigPath, load: false } };
  const agent = await bench.startAgent(setUpAgent(workplace, models));
  const bare = await BareProcess.start(workplace, []);
  const clients = new HelperProcess<LoadQuestion, LoadAnswer>(workplace, './load-client-main.js');
  const busyRound = () =>
    clients.ask({
      socketPath: agent.setup.socketPath,
      requestPath: busy.requestPath,
      connections: 1,
      durationMs: 250,
    });
  const during = (work: () => Promise<unknown>) => pollDuring(agent, bare, busyRound, work);
  await during(() => sleep(500)); // Warms up.
  const before = await loopDelays(agent);
  const loading: Polls[] = [];
  const calm: Polls[] = [];
  for (let round = 0; round < (quick ? 1 : 4); round++) {
    calm.push(await during(() => sleep(quick ? 300 : 1500)));
    // Another content, so that it is imported and not only loaded; the middle of the file is in the weights.
    bytes[bytes.byteLength >> 1] = round + 1;
    writeFileSync(bigPath, bytes);
    loading.push(await during(() => agent.repository(BIG, 'load')));
    await agent.repository(BIG, 'unload');
  }
  const delays = (await loopDelays(agent)).since(before);
  await Promise.all([clients.stop(), bare.stop(), agent.stop()]);
  return [report(loading, calm, delays, quick)];
}

function report(
  loading: readonly Polls[],
  calm: readonly Polls[],
  delays: LoopDelays,
  quick: boolean,
): Figure {
  const p99 = (rounds: readonly Polls[], side: keyof Polls) =>
    rounds.map((polls) => quantile(polls[side], 0.99));
  const worst = (side: keyof Polls) => Math.max(...loading.map((polls) => Math.max(...polls[side])));
  const asked = loading.reduce((sum, { agent }) => sum + agent.length, 0);
  return figure(DELAY, {
    ...overRounds(p99(loading, 'agent')),
    peers: {
      'longest ms': worst('agent'),
      'idle server p99 ms': median(p99(loading, 'bare')),
      'idle server longest ms': worst('bare'),
      'nothing loading p99 ms': median(p99(calm, 'agent')),
      "agent's own histogram p99 ms, at most": delays.p99UpperMs,
    },
    note: `${asked} polls while loading${quick ? ' (8 MB only)' : ''}; ${delays.samples} samples in the histogram`,
  });
}

/** Polls both servers while `work` is under way and another process keeps a model of the agent busy. */
async function pollDuring(
  agent: AgentProcess,
  bare: BareProcess,
  busyRound: () => Promise<unknown>,
  work: () => Promise<unknown>,
): Promise<Polls> {
  const until = new AbortController();
  const busy = (async () => {
    while (!until.signal.aborted) await busyRound();
  })();
  const polls = Promise.all([
    poll(agent.setup.socketPath, until.signal),
    poll(bare.socketPath, until.signal),
  ]);
  const worked = work().finally(() => until.abort());
  const [[agentPolls, barePolls]] = await Promise.all([polls, busy, worked]);
  return { agent: agentPolls, bare: barePolls };
}

/** Polls one server every `POLL_MS`; a poll that takes longer also counts for those that it kept from being sent. */
async function poll(socketPath: string, until: AbortSignal): Promise<number[]> {
  const request = requestBytes('GET', '/v2/health/live');
  const client = await LeanClient.connect(socketPath);
  const times: number[] = [];
  while (!until.aborted) {
    const { elapsedMs } = await client.send(request);
    for (let late = elapsedMs; late > 0; late -= POLL_MS) times.push(late);
    await sleep(Math.max(0, POLL_MS - elapsedMs));
  }
  client.close();
  return times;
}
