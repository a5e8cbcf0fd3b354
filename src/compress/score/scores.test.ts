import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../lib/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { bytesOf } from '../../tensor/tensor.ts';
import { Comparison } from './comparison.ts';
import { gate } from './gate.ts';
import { meanSnrDb, NoiseMeter } from './noise-meter.ts';
import { pairedDrop } from './paired-drop.ts';
import { proportion } from './proportion.ts';
import { speedOf } from './speed.ts';
import { isInTop, topClass } from './top-class.ts';

function near(found: number | undefined, expected: number, tolerance = 1e-4): void {
  assert.ok(found !== undefined && Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);
}

function output(values: readonly number[], name = 'y'): Tensor {
  return { name, datatype: 'FP32', shape: [1, values.length], data: bytesOf(Float32Array.from(values)) };
}

/** Scores of `classes` classes in which `best` is the largest. */
function scores(best: number, classes = 4): Tensor {
  return output(Array.from({ length: classes }, (_, index) => (index === best ? 2 : index / 10)));
}

/** A comparison of samples given as the float model's class, the variant's, and the label. */
function compared(samples: ReadonlyArray<readonly [number, number, number?]>) {
  const comparison = new Comparison({ scoresOutput: 'y', topK: 2 });
  for (const [float, variant, label] of samples)
    comparison.observe([scores(float)], [scores(variant)], label);
  return comparison.result();
}

function times<Value>(count: number, value: Value): Value[] {
  return new Array<Value>(count).fill(value);
}

describe('proportion', () => {
  it('has the Wilson interval (values of R: prop.test(x, n, correct = FALSE))', () => {
    const half = proportion(15, 20);
    near(half.value, 0.75);
    near(half.low, 0.5313);
    near(half.high, 0.8881);
    const all = proportion(10, 10);
    assert.equal(all.high, 1);
    near(all.low, 0.7225);
    assert.deepEqual(proportion(0, 0), { value: 0, count: 0, samples: 0, low: 0, high: 1 });
    assert.equal(proportion(0, 5).low, 0);
  });
});

describe('pairedDrop', () => {
  it('has the interval of Bonett and Price', () => {
    const drop = pairedDrop(9, 4, 100);
    near(drop.value, 0.05);
    // (10 - 5) / 102 ± 1.96 sqrt((10/102 + 5/102 - (5/102)²) / 102), computed by hand.
    near(drop.low, -0.0249, 5e-4);
    near(drop.high, 0.1229, 5e-4);
  });

  it('holds its value, and nothing is known from nothing', () => {
    for (let lost = 0; lost <= 10; lost++) {
      for (let won = 0; lost + won <= 10; won++) {
        const { value, low, high } = pairedDrop(lost, won, 10);
        assert.ok(low <= value && value <= high && low >= -1 && high <= 1);
      }
    }
    assert.deepEqual(pairedDrop(0, 0, 0), {
      value: 0,
      low: -1,
      high: 1,
      samples: 0,
      rightToWrong: 0,
      wrongToRight: 0,
    });
  });
});

describe('topClass and isInTop', () => {
  it('prefer the lower index among equals', () => {
    assert.equal(topClass([1, 3, 3]), 1);
    assert.equal(isInTop([1, 3, 3], 1, 1), true);
    assert.equal(isInTop([1, 3, 3], 2, 1), false);
    assert.equal(isInTop([1, 3, 3], 2, 2), true);
  });

  it('find nothing where there is nothing to find', () => {
    assert.equal(topClass([]), -1);
    assert.equal(topClass([1, Number.NaN]), -1);
    assert.equal(topClass([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]), 0);
    assert.equal(isInTop([1, Number.NaN], 0, 2), false);
    assert.equal(isInTop([1, 2], 5, 2), false);
  });
});

describe('NoiseMeter', () => {
  it('measures what was added, piece by piece or at once', () => {
    const random = seededRandom(3);
    const signal = Float64Array.from({ length: 1000 }, () => random() - 0.5);
    const noisy = signal.map((value) => value * 1.01);
    const whole = new NoiseMeter();
    whole.observe(signal, noisy);
    const pieces = new NoiseMeter();
    for (let at = 0; at < 1000; at += 100)
      pieces.observe(signal.subarray(at, at + 100), noisy.subarray(at, at + 100));
    // An error of 1 % is -40 dB.
    near(whole.result().snrDb, 40);
    near(pieces.result().snrDb, 40);
    near(whole.result().cosine, 1, 1e-9);
  });

  it('gives numbers that JSON holds, or none', () => {
    const cases: Array<[reference: number[], values: number[], snrDb: number | undefined]> = [
      [[1, 2], [1, 2], 200],
      [[1, 2], [1, Number.NaN], -200],
      [[1, 2], [Number.POSITIVE_INFINITY, 2], -200],
      [[0, 0], [0, 0], undefined],
      [[1e-8, 0], [1, 0], undefined],
      [[], [], undefined],
      [[1, 1], [0, 0], 0],
      [[1, 1], [1], 0],
    ];
    for (const [reference, values, snrDb] of cases) {
      const meter = new NoiseMeter();
      meter.observe(reference, values);
      assert.equal(meter.result().snrDb, snrDb, JSON.stringify([reference, values]));
    }
    const meter = new NoiseMeter();
    meter.observe([Number.NaN, 1], [Number.NaN, 1]);
    assert.equal(meter.result().nonFinite, 0, 'not finite in the reference either');
    meter.observe([1, 1], [1]);
    assert.equal(meter.result().lengthsDiffered, 1);
  });

  it('sees opposite and orthogonal values', () => {
    const opposite = new NoiseMeter();
    opposite.observe([1, 2], [-1, -2]);
    near(opposite.result().cosine, -1);
    const orthogonal = new NoiseMeter();
    orthogonal.observe([1, 0], [0, 1]);
    near(orthogonal.result().cosine, 0);
  });

  it('averages ratios by their noise', () => {
    near(meanSnrDb([20, 20]), 20);
    near(meanSnrDb([10, 200]), 10 + 10 * Math.log10(2));
    assert.equal(meanSnrDb([]), undefined);
  });
});

describe('Comparison', () => {
  it('counts agreement, accuracy and who changed', () => {
    const result = compared([
      [0, 0, 0],
      [1, 1, 2],
      [2, 0, 2],
      [3, 1, 1],
      [0, 3],
    ]);
    assert.equal(result.samples, 5);
    assert.equal(result.agreement?.count, 2);
    assert.equal(result.accuracy?.float.count, 2);
    assert.equal(result.accuracy?.float.samples, 4);
    assert.equal(result.accuracy?.variant.count, 2);
    assert.deepEqual([result.accuracy?.drop.rightToWrong, result.accuracy?.drop.wrongToRight], [1, 1]);
    assert.equal(result.accuracy?.classes, 4);
  });

  it('compares every output that holds numbers', () => {
    const comparison = new Comparison();
    const ints: Tensor = { name: 'n', datatype: 'INT64', shape: [1], data: bytesOf(BigInt64Array.of(3n)) };
    const text: Tensor = { name: 't', datatype: 'BYTES', shape: [0], data: new Uint8Array() };
    comparison.observe([output([1, 2]), ints, text], [output([1, 2]), ints, text]);
    const result = comparison.result();
    assert.deepEqual(
      result.outputs.map(({ name, snrDb }) => [name, snrDb]),
      [
        ['y', 200],
        ['n', 200],
      ],
    );
    assert.equal(result.agreement, undefined);
    assert.equal(result.accuracy, undefined);
    assert.equal(result.snrDb, 200);
    const missing = new Comparison();
    missing.observe([output([1, 2])], []);
    assert.equal(missing.result().outputs[0]?.lengthsDiffered, 1);
  });
});

describe('gate', () => {
  const limits = { maxAccuracyDrop: 0.01 };

  it('goes by the accuracy where there are labels', () => {
    const good = times(98, [1, 1, 1] as const);
    const accepted = gate(compared([...good, [1, 2, 1], [2, 2, 1]]), limits);
    assert.deepEqual([accepted.status, accepted.measure], ['accepted', 'accuracy']);
    assert.match(accepted.reason, /accuracy 98\.0 % against 99\.0 % of the float model: drop 1\.0 points/);
    const refused = gate(compared([...good, [1, 2, 1], [1, 2, 1]]), limits);
    assert.equal(refused.status, 'refused');
    // The best class changes on 2 of 100 samples, but the accuracy does not.
    assert.equal(gate(compared([...good, [1, 2, 1], [2, 1, 1]]), limits).status, 'accepted');
  });

  it('goes by agreement without labels', () => {
    assert.deepEqual(
      [99, 98].map((agreeing) => {
        const result = compared([
          ...times(agreeing, [1, 1] as const),
          ...times(100 - agreeing, [1, 2] as const),
        ]);
        const { status, measure } = gate(result, limits);
        return [status, measure];
      }),
      [
        ['accepted', 'agreement'],
        ['refused', 'agreement'],
      ],
    );
  });

  it('does not believe labels on which the float model is no better than chance', () => {
    // Shifted by one, as where a "background" class was forgotten: nothing is right, so nothing can get worse.
    const verdict = gate(compared(times(100, [1, 3, 2] as const)), limits);
    assert.deepEqual([verdict.status, verdict.measure], ['refused', 'agreement']);
    assert.match(verdict.reason, /labels are not believed, the float model gets only 0\.0 % of them right/);
  });

  it('goes by the worst output for what is no classifier', () => {
    const comparison = new Comparison();
    comparison.observe(
      [output([10, 10], 'a'), output([10, 10], 'b')],
      [output([10, 10], 'a'), output([11, 9], 'b')],
    );
    const { status, reason } = gate(comparison.result(), limits);
    assert.equal(status, 'accepted');
    assert.match(reason, /20\.0 dB in output 'b', needed 20 dB/);
    assert.equal(gate(comparison.result(), { ...limits, minSnrDb: 21 }).status, 'refused');
  });

  it('refuses NaN, no samples and outputs that say nothing', () => {
    const nan = new Comparison({ scoresOutput: 'y' });
    nan.observe([output([1, 2])], [output([Number.NaN, 2])]);
    assert.deepEqual(gate(nan.result(), { maxAccuracyDrop: 1 }), {
      status: 'refused',
      measure: 'finite',
      reason: 'gives NaN or infinity in 1 values where the float model does not',
    });
    assert.equal(gate(new Comparison().result(), limits).status, 'refused');
    const zero = new Comparison();
    zero.observe([output([0, 0])], [output([0, 0])]);
    assert.match(gate(zero.result(), limits).reason, /nearly zero/);
  });

  it('counts in samples, so that 3 of 300 is 1 %', () => {
    const result = compared([...times(297, [1, 1] as const), ...times(3, [1, 2] as const)]);
    assert.equal(gate(result, limits).status, 'accepted');
  });
});

describe('speedOf', () => {
  it('is the median of the pairs with its order statistics', () => {
    const variantMs = Array.from({ length: 21 }, (_, index) => 1 + index / 10);
    const floatMs = times(21, 2);
    const speed = speedOf(floatMs, variantMs);
    near(speed?.median, 1);
    // For n = 21 the 95 % interval of the median is from the 6th to the 16th value.
    near(speed?.low, 2 / 2.5);
    near(speed?.high, 2 / 1.5);
  });

  it('takes all of few pairs, leaves out impossible ones, and meets the median of an even number', () => {
    assert.deepEqual(speedOf([2, 4], [1, 1]), { median: 3, low: 2, high: 4 });
    assert.deepEqual(speedOf([2, 5, 5, 7], [1, 0, Number.NaN]), { median: 2, low: 2, high: 2 });
    assert.equal(speedOf([], []), undefined);
  });

  it('holds the true median in about 95 of 100 cases', () => {
    const random = seededRandom(11);
    let held = 0;
    for (let round = 0; round < 2000; round++) {
      const ratios = Array.from({ length: 31 }, () => 1 + random() ** 3);
      const speed = speedOf(ratios, times(31, 1));
      const truth = 1 + 0.5 ** 3;
      if (speed !== undefined && speed.low <= truth && truth <= speed.high) held += 1;
    }
    assert.ok(held / 2000 > 0.94 && held / 2000 < 0.985, `${held}`);
  });
});
