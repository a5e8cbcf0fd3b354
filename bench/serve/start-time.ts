import { type Figure, figure, type Goal } from '../figure.ts';
import { median, overRounds } from '../quantiles.ts';
import { AgentProcess, setUpAgent } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { interleave } from './interleave.ts';
import { type Bench, type Measurement, modelsOf, workloadsOf } from './measurement.ts';

const START: Goal = {
  name: 'start-to-ready',
  goal: 'from the start of the process to the first 200 of /v2/health/ready, models imported before',
  unit: 'ms',
  limit: 300,
  bound: 'at most',
};

/** Starts of an agent whose models are imported and whose configuration is as before. */
export const startTime: Measurement = { name: 'start-time', goals: [START], measure };

async function measure(bench: Bench): Promise<Figure[]> {
  const { workplace } = bench;
  const workloads = workloadsOf(bench);
  const setup = setUpAgent(workplace, modelsOf(workloads));
  const listeningMs: number[] = [];
  const startAgent = async (): Promise<number> => {
    const agent = new AgentProcess(workplace, setup);
    const readyMs = await agent.ready();
    listeningMs.push(agent.listeningMs);
    await agent.stop();
    return readyMs;
  };
  const startBare = async (): Promise<number> => {
    const bare = await BareProcess.start(workplace, workloads);
    const readyMs = bare.ageMs;
    await bare.stop();
    return readyMs;
  };
  const importMs = await startAgent();
  const { agent, bare } = await interleave(bench.quick ? 2 : 10, { agent: startAgent, bare: startBare });
  return [
    figure(START, {
      ...overRounds(agent),
      peers: {
        'listening after ms': median(listeningMs),
        'bare server ready ms': median(bare),
        'first start, with import ms': importMs,
      },
      note: `models loaded: ${workloads.length}`,
    }),
  ];
}
