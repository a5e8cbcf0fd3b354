import type { Figure, Goal } from '../figure.ts';
import type { AgentProcess, AgentSetup } from './agent-process.ts';
import type { Workload } from './workload.ts';
import type { Workplace } from './workplace.ts';

/** What every measurement works with. */
export interface Bench {
  readonly workplace: Workplace;
  readonly tiny: Workload;
  /** Undefined where there are no assets. */
  readonly mobilenet: Workload | undefined;
  /** A smoke run: few rounds, short ones. */
  readonly quick: boolean;
  /** Starts an agent and waits until it is ready. */
  readonly startAgent: (setup: AgentSetup) => Promise<AgentProcess>;
  /** Says to a person how far it is. */
  readonly progress: (text: string) => void;
}

/** One measurement; its children may be left running, they are ended after it. */
export interface Measurement {
  readonly name: string;
  readonly goals: readonly Goal[];
  /** Resolves with one figure per goal. */
  readonly measure: (bench: Bench) => Promise<Figure[]>;
}

/** Why what is measured on MobileNetV2 is not. */
export const NO_MOBILENET = 'not measured: there is no MobileNetV2 (give --assets DIR or set SELVAGE_ASSETS)';

/** The workloads there are. */
export function workloadsOf({ tiny, mobilenet }: Bench): Workload[] {
  return mobilenet === undefined ? [tiny] : [tiny, mobilenet];
}

/** The `models` of a configuration that serves these workloads. */
export function modelsOf(workloads: readonly Workload[], settings: object = {}): Record<string, object> {
  return Object.fromEntries(
    workloads.map(({ model, modelPath }) => [model, { source: modelPath, ...settings }]),
  );
}
