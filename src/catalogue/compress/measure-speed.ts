import { type Speed, speedOf } from '../../compress/score/speed.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Session } from './session.ts';

/** Rounds in which the two models take turns. */
const ROUNDS = 31;
/** Time that each model's turn should take, in microseconds: long against the clock's steps and a switch of tasks. */
const TURN_US = 8000;
const MAX_RUNS_PER_TURN = 200;
const WARM_UP_RUNS = 3;

/** How fast a variant is, and the median times behind it in milliseconds. */
export interface MeasuredSpeed extends Speed {
  readonly floatMs: number;
  readonly variantMs: number;
}

/**
 * How many times as fast a variant is as the float model, on one sample, one thread: the two take turns, so that
 * what else the machine does meets both alike. Undefined where no time could be measured.
 */
export async function measureSpeed(
  float: Session,
  variant: Session,
  sample: readonly Tensor[],
): Promise<MeasuredSpeed | undefined> {
  const floatRuns = await runsPerTurn(float, sample);
  const variantRuns = await runsPerTurn(variant, sample);
  const floatMs: number[] = [];
  const variantMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Whoever comes second finds the caches of the other: each does in half of the rounds.
    if (round % 2 === 0) floatMs.push(await turnMs(float, sample, floatRuns));
    variantMs.push(await turnMs(variant, sample, variantRuns));
    if (round % 2 === 1) floatMs.push(await turnMs(float, sample, floatRuns));
  }
  const speed = speedOf(floatMs, variantMs);
  return speed && { ...speed, floatMs: medianOf(floatMs), variantMs: medianOf(variantMs) };
}

/** The time of one run in this turn, in milliseconds: the mean of the middle half, since times come in whole µs. */
async function turnMs(session: Session, sample: readonly Tensor[], runs: number): Promise<number> {
  const timesUs: number[] = [];
  for await (const { inferUs } of session.run(repeated(sample, runs))) timesUs.push(inferUs);
  timesUs.sort((a, b) => a - b);
  const middle = timesUs.slice(Math.floor(timesUs.length / 4), Math.ceil((timesUs.length * 3) / 4));
  return middle.reduce((sum, timeUs) => sum + timeUs, 0) / middle.length / 1000;
}

async function runsPerTurn(session: Session, sample: readonly Tensor[]): Promise<number> {
  const warmMs = await turnMs(session, sample, WARM_UP_RUNS);
  return Math.min(MAX_RUNS_PER_TURN, Math.max(1, Math.round(TURN_US / 1000 / Math.max(warmMs, 0.001))));
}

function* repeated(sample: readonly Tensor[], count: number): Generator<readonly Tensor[]> {
  for (let index = 0; index < count; index++) yield sample;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
