import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withCode } from '../../../test/contract/task-contract.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { toHalf } from '../../tensor/half.ts';
import { bytesOf, type Tensor } from '../../tensor/tensor.ts';
import { misfitOf } from '../misfit.ts';
import { fitScoresOutput } from './fit-scores-output.ts';
import { probabilitiesOf, type ScoreKind } from './probabilities.ts';
import { readScores } from './read-scores.ts';
import { softmax } from './softmax.ts';
import { topIndices } from './top-indices.ts';

describe('softmax', () => {
  it('gives the shares of the exponentials', () => {
    const found = softmax([Math.log(1), Math.log(2), Math.log(5)]);
    for (const [index, share] of [1 / 8, 2 / 8, 5 / 8].entries()) {
      assert.ok(Math.abs((found[index] ?? 0) - share) < 1e-15);
    }
  });

  it('stands huge scores and scores of -Infinity', () => {
    assert.deepEqual([...softmax([1e30, 1e30])], [0.5, 0.5]);
    assert.deepEqual([...softmax([-1e30, 0])], [0, 1]);
    assert.deepEqual([...softmax([Number.NEGATIVE_INFINITY, -1000])], [0, 1]);
    assert.deepEqual(
      [...softmax([700, 710, -700])].map((value) => value.toFixed(4)),
      ['0.0000', '1.0000', '0.0000'],
    );
  });
});

describe('topIndices', () => {
  it('finds what sorting finds, whatever the order', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48271) % 0x7fff_ffff;
      return seed;
    };
    for (const length of [1, 2, 7, 100, 1001]) {
      const scores = Float32Array.from({ length }, () => random() % 50);
      const sorted = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
      for (const count of [1, 2, 5, length, length + 3]) {
        assert.deepEqual(topIndices(scores, count), sorted.slice(0, count));
      }
    }
  });

  it('has nothing to find in nothing', () => {
    assert.deepEqual(topIndices([], 5), []);
    assert.deepEqual(topIndices([1, 2], 0), []);
  });
});

describe('fitScoresOutput', () => {
  const fit = (shape: number[], datatype: Datatype = 'FP32') =>
    fitScoresOutput([{ name: 'y', datatype, shape }], undefined, misfitOf('m')).classes;

  it('counts classes where the model fixes them', () => {
    assert.equal(fit([1, 10]), 10);
    assert.equal(fit([-1, 10]), 10);
    assert.equal(fit([-1, 10], 'FP16'), 10);
    assert.equal(fit([10]), 10);
    assert.equal(fit([1, 1000, 1, 1]), 1000);
    assert.equal(fit([-1, 1]), 1);
    assert.equal(fit([-1, -1]), undefined);
  });

  it('refuses outputs that are no scores of one image', () => {
    assert.throws(() => fit([8, 10]), withCode('TASK_MISFIT', "found 'y' FP32 [8, 10]"));
    assert.throws(() => fit([1, 4420, 2]), withCode('TASK_MISFIT', '[1, 4420, 2]'));
    assert.throws(() => fit([1, 10], 'INT64'), withCode('TASK_MISFIT', 'INT64'));
  });

  it('wants a name where there are several', () => {
    const outputs = [
      { name: 'features', datatype: 'FP32', shape: [1, 64] },
      { name: 'logits', datatype: 'FP32', shape: [1, 10] },
    ] as const;
    assert.equal(fitScoresOutput(outputs, 'logits', misfitOf('m')).classes, 10);
    assert.throws(
      () => fitScoresOutput(outputs, undefined, misfitOf('m')),
      withCode('TASK_MISFIT', 'task.output'),
    );
    assert.throws(
      () => fitScoresOutput(outputs, 'odd', misfitOf('m')),
      withCode('TASK_MISFIT', "an output 'odd'"),
    );
    assert.throws(() => fitScoresOutput([], undefined, misfitOf('m')), withCode('TASK_MISFIT', 'none'));
  });
});

describe('readScores', () => {
  const fp32 = (...values: number[]): Tensor => ({
    name: 'y',
    datatype: 'FP32',
    shape: [1, values.length],
    data: bytesOf(Float32Array.from(values)),
  });
  const read = (tensor: Tensor) => Array.from(readScores('m', [tensor], 'y'));

  it('reads every floating-point datatype, at any offset', () => {
    assert.deepEqual(read(fp32(1, -2.5)), [1, -2.5]);
    const half = bytesOf(Uint16Array.from([1, -2.5], toHalf));
    assert.deepEqual(read({ ...fp32(), datatype: 'FP16', data: half }), [1, -2.5]);
    assert.deepEqual(
      read({ ...fp32(), datatype: 'FP64', data: bytesOf(Float64Array.of(1, -2.5)) }),
      [1, -2.5],
    );
    const misaligned = Buffer.concat([Buffer.alloc(1), bytesOf(Float32Array.of(1, -2.5))]).subarray(1);
    assert.deepEqual(read({ ...fp32(), data: misaligned }), [1, -2.5]);
  });

  it('lets -Infinity pass: it is a class that is ruled out', () => {
    assert.deepEqual(read(fp32(Number.NEGATIVE_INFINITY, 3)), [Number.NEGATIVE_INFINITY, 3]);
  });

  it('refuses NaN, +Infinity and nothing at all', () => {
    assert.throws(
      () => read(fp32(1, Number.NaN)),
      withCode('INFERENCE_FAILED', "output 'y' is NaN at index 1"),
    );
    assert.throws(
      () => read(fp32(Number.POSITIVE_INFINITY)),
      withCode('INFERENCE_FAILED', 'is Infinity at index 0'),
    );
    assert.throws(
      () => read(fp32(Number.NEGATIVE_INFINITY)),
      withCode('INFERENCE_FAILED', 'no finite score'),
    );
    assert.throws(() => read(fp32()), withCode('INFERENCE_FAILED', 'no finite score'));
    assert.throws(
      () => readScores('m', [fp32(1)], 'z'),
      withCode('INFERENCE_FAILED', "output 'z' is missing"),
    );
    const int = { ...fp32(1), datatype: 'INT32' as const };
    assert.throws(() => read(int), withCode('INFERENCE_FAILED', 'is INT32'));
  });
});

describe('probabilitiesOf', () => {
  const of = (kind: ScoreKind, ...scores: number[]) =>
    Array.from(probabilitiesOf('m', 'y', scores, kind), (value) => Number(value.toFixed(6)));

  it('tells probabilities from logits', () => {
    assert.deepEqual(of('auto', 0.25, 0.75), [0.25, 0.75]);
    assert.deepEqual(of('auto', 0.2505, 0.7501), [0.2505, 0.7501]);
    assert.deepEqual(of('auto', 1.0004, -0.0004), [1, 0]);
    assert.deepEqual(of('auto', 0.5, 0.2), of('logits', 0.5, 0.2));
    assert.deepEqual(of('auto', 3, -2), of('logits', 3, -2));
    assert.deepEqual(of('auto', -0.5, 1.5), of('logits', -0.5, 1.5));
  });

  it('does as it is told', () => {
    assert.deepEqual(of('logits', 0.5, 0.5), [0.5, 0.5]);
    assert.deepEqual(of('logits', 0, 1), [0.268941, 0.731059]);
    assert.deepEqual(of('probabilities', 0.9, 0.8), [0.9, 0.8]);
    assert.throws(() => of('probabilities', 0.9, 3.5), withCode('INFERENCE_FAILED', 'is 3.5 at index 1'));
  });
});
