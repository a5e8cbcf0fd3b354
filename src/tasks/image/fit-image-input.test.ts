import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withCode } from '../../../test/contract/task-contract.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { misfitOf } from '../misfit.ts';
import { fitImageInput, type ImageSettings } from './fit-image-input.ts';

const NO_SETTINGS: ImageSettings = { resize: 'cover', cropFraction: 1 };

function fit(shape: readonly number[], settings: Partial<ImageSettings> = {}, datatype: Datatype = 'FP32') {
  const inputs = [{ name: 'x', datatype, shape }];
  return fitImageInput(inputs, { ...NO_SETTINGS, ...settings }, misfitOf('m')).spec;
}

function brief(shape: readonly number[], settings: Partial<ImageSettings> = {}) {
  const { width, height, channels, layout } = fit(shape, settings);
  return `${width}x${height} ${channels} ${layout}`;
}

describe('fitImageInput', () => {
  it('reads size, channels and layout from the shape', () => {
    assert.equal(brief([1, 3, 240, 320]), '320x240 rgb nchw');
    assert.equal(brief([-1, 3, 224, 224]), '224x224 rgb nchw');
    assert.equal(brief([-1, 224, 192, 3]), '192x224 rgb nhwc');
    assert.equal(brief([-1, 1, 28, 28]), '28x28 gray nchw');
    assert.equal(brief([1, 28, 28, 1]), '28x28 gray nhwc');
    assert.equal(brief([1, 3, 3, 3]), '3x3 rgb nchw');
  });

  it('takes the settings where the model leaves it free', () => {
    assert.equal(brief([-1, -1, -1, -1], { size: 64 }), '64x64 rgb nchw');
    assert.equal(brief([-1, -1, -1, 3], { size: [64, 32] }), '64x32 rgb nhwc');
    assert.equal(brief([1, 3, -1, -1], { size: 96, channels: 'bgr' }), '96x96 bgr nchw');
    assert.equal(brief([1, -1, 8, 8], { channels: 'gray' }), '8x8 gray nchw');
    assert.equal(brief([1, 3, 3, 3], { layout: 'nhwc' }), '3x3 rgb nhwc');
  });

  it('scales as the datatype needs it unless told otherwise', () => {
    assert.deepEqual(fit([1, 1, 8, 8]).mean, [0]);
    assert.deepEqual(fit([1, 3, 8, 8]).std, [255, 255, 255]);
    assert.deepEqual(fit([1, 3, 8, 8], {}, 'UINT8').std, [1, 1, 1]);
    assert.deepEqual(fit([1, 3, 8, 8], {}, 'INT8').mean, [128, 128, 128]);
    const settings = { mean: [127.5], std: [1, 2, 3] };
    const { mean, std } = fit([1, 3, 8, 8], settings, 'UINT8');
    assert.deepEqual({ mean, std }, { mean: [127.5, 127.5, 127.5], std: [1, 2, 3] });
  });

  const misfits: [why: string, shape: number[], settings: Partial<ImageSettings>, says: string][] = [
    [
      'three dimensions',
      [3, 8, 8],
      {},
      "expected one input of 4 dimensions with a batch of 1 or any size, found 'x' FP32 [3, 8, 8]",
    ],
    ['a batch of 4', [4, 3, 8, 8], {}, 'batch of 1'],
    ['two channels', [1, 2, 8, 8], {}, 'expected 3 channels (rgb, nchw), found 2'],
    [
      'gray for a colour model',
      [1, 3, 8, 8],
      { channels: 'gray' },
      'expected 1 channel (gray, nchw), found 3',
    ],
    [
      'colour for a gray model',
      [1, 1, 8, 8],
      { channels: 'rgb' },
      'expected 3 channels (rgb, nchw), found 1',
    ],
    ['the other layout', [1, 3, 8, 8], { layout: 'nhwc' }, 'found 8'],
    ['a free size without a setting', [1, 3, -1, -1], {}, 'set task.size'],
    ['another size', [1, 3, 8, 8], { size: 9 }, 'task.size asks for a width of 9, found 8'],
    ['another height', [1, 3, 8, 8], { size: [8, 9] }, 'task.size asks for a height of 9, found 8'],
    ['no size', [1, 3, 0, 8], {}, 'is 0'],
    ['a gigantic size', [1, 3, 100_000, 100_000], {}, 'over the limit'],
    ['two means', [1, 3, 8, 8], { mean: [1, 2] }, 'task.mean has 2 numbers, expected 1 or 3'],
    ['three stds for gray', [1, 1, 8, 8], { std: [1, 2, 3] }, 'task.std has 3 numbers, expected 1 or 1'],
  ];
  for (const [why, shape, settings, says] of misfits) {
    it(`refuses ${why}`, () => {
      assert.throws(() => fit(shape, settings), withCode('TASK_MISFIT', says));
    });
  }

  it('refuses other datatypes, no input and several inputs', () => {
    const misfit = misfitOf('clothes');
    const input = { name: 'x', datatype: 'FP32', shape: [1, 3, 8, 8] } as const;
    assert.throws(() => fit([1, 3, 8, 8], {}, 'INT64'), withCode('TASK_MISFIT', 'INT64'));
    assert.throws(() => fitImageInput([], NO_SETTINGS, misfit), withCode('TASK_MISFIT', 'found none'));
    assert.throws(
      () => fitImageInput([input, { ...input, name: 'y' }], NO_SETTINGS, misfit),
      withCode('TASK_MISFIT', "of model 'clothes' does not fit it: expected one input"),
    );
  });
});
