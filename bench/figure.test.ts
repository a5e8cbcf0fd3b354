import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { figure, formatFigures, type Goal, notMeasured } from './figure.ts';

const AT_MOST: Goal = { name: 'cost', goal: 'what it costs', unit: 'ms', limit: 5, bound: 'at most' };
const AT_LEAST: Goal = { name: 'gain', goal: 'what it gains', unit: '×', limit: 1, bound: 'at least' };

describe('figure', () => {
  it('holds the value against its limit on the side the goal names', () => {
    assert.equal(figure(AT_MOST, { value: 5 }).met, true);
    assert.equal(figure(AT_MOST, { value: 5.1 }).met, false);
    assert.equal(figure(AT_LEAST, { value: 1.3 }).met, true);
    assert.equal(figure(AT_LEAST, { value: 0.99 }).met, false);
  });

  it('judges the value before it is rounded', () => {
    assert.deepEqual(figure(AT_MOST, { value: 5.00001 }), { ...AT_MOST, value: 5, spread: null, met: false });
  });

  it('is neither met nor missed without a value', () => {
    const { value, met, note } = notMeasured(AT_MOST, 'no model');
    assert.deepEqual({ value, met, note }, { value: null, met: null, note: 'no model' });
  });

  it('shows as a line of a table, with what was measured beside it below', () => {
    const text = formatFigures([
      figure(AT_MOST, { value: 12.3456, spread: [11, 13], peers: { 'bare ms': 3 }, note: 'one model' }),
      notMeasured(AT_LEAST, 'no model'),
    ]);
    assert.deepEqual(text.split('\n'), [
      'FIGURE  VALUE  P5..P95  GOAL    MET',
      'cost    12.35  11..13   ≤ 5 ms  NO',
      'gain        -  -        ≥ 1 ×   -',
      '',
      'cost: what it costs',
      '  beside it: bare ms 3',
      '  one model',
      'gain: what it gains',
      '  no model',
    ]);
  });
});
