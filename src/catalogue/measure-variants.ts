import type { JobHandle } from '../lib/child/job-registry.ts';
import type { Clock } from '../lib/clock.ts';
import { reasonOf } from '../lib/errors.ts';
import { residentBytes } from '../lib/resident-memory.ts';
import { Runner } from '../runtime/runner.ts';

/** Rounds in which the variants take turns, so that what else the machine does meets all of them alike. */
const ROUNDS = 7;
const ROUND_MS = 150;
const RUNS_PER_ROUND = 200;
const LOAD_TIMEOUT_MS = 120_000;

/** A variant to measure. */
export interface Candidate {
  readonly name: string;
  readonly path: string;
  readonly threads: number;
}

/** What was measured of a candidate on random input, or why it does not run. */
export type MeasuredCandidate =
  | {
      readonly name: string;
      readonly ok: true;
      readonly p50Ms: number;
      readonly p95Ms: number;
      readonly meanMs: number;
      readonly iterations: number;
      readonly rssBytes: number;
      readonly loadMs: number;
    }
  | { readonly name: string; readonly ok: false; readonly reason: string };

interface Loaded {
  readonly candidate: Candidate;
  readonly runner: Runner;
  readonly loadMs: number;
  readonly timesUs: number[];
  fault: string | undefined;
}

/**
 * Loads every candidate in a runner of its own and times runs in interleaved rounds, with one sample of random input.
 * A candidate that fails is reported, and the others go on. Ends early, with what it has, when the job is cancelled.
 */
export async function measureVariants(
  candidates: readonly Candidate[],
  { signal, onProgress }: JobHandle,
  clock: Clock,
): Promise<MeasuredCandidate[]> {
  const loaded: Loaded[] = [];
  try {
    for (const candidate of candidates) loaded.push(await load(candidate, clock));
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      onProgress({ fraction: round / ROUNDS, message: `measuring, round ${round + 1} of ${ROUNDS}` });
      for (const one of loaded) await timeRound(one);
    }
    return loaded.map(summarize);
  } finally {
    for (const { runner } of loaded) runner.kill('measured');
  }
}

async function load(candidate: Candidate, clock: Clock): Promise<Loaded> {
  const runner = new Runner();
  const cancel = clock.after(LOAD_TIMEOUT_MS, () => runner.kill(`not loaded within ${LOAD_TIMEOUT_MS} ms`));
  try {
    const info = await runner.load(candidate);
    return { candidate, runner, loadMs: info.loadMs, timesUs: [], fault: undefined };
  } catch (error) {
    return { candidate, runner, loadMs: 0, timesUs: [], fault: reasonOf(error) };
  } finally {
    cancel();
  }
}

async function timeRound(one: Loaded): Promise<void> {
  if (one.fault !== undefined) return;
  try {
    one.timesUs.push(...(await one.runner.bench(RUNS_PER_ROUND, ROUND_MS)));
  } catch (error) {
    one.fault = reasonOf(error);
  }
}

function summarize({ candidate, runner, loadMs, timesUs, fault }: Loaded): MeasuredCandidate {
  const { name } = candidate;
  if (fault !== undefined) return { name, ok: false, reason: fault };
  const sorted = [...timesUs].sort((a, b) => a - b);
  const quantile = (q: number): number => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0) / 1000;
  return {
    name,
    ok: true,
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    meanMs: sorted.reduce((sum, time) => sum + time, 0) / Math.max(1, sorted.length) / 1000,
    iterations: sorted.length,
    rssBytes: (runner.pid === undefined ? undefined : residentBytes(runner.pid)) ?? 0,
    loadMs,
  };
}
