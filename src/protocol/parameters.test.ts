import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import { isReservedParameter, readParameters, timeoutOf } from './parameters.ts';

function malformed(message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof SelvageError && error.code === 'REQUEST_MALFORMED' && message.test(error.message);
}

describe('readParameters', () => {
  it('keeps strings, numbers and booleans', () => {
    const parameters = readParameters({ a: 'x', b: 1.5, c: false }, 'parameters');
    assert.deepEqual({ ...parameters }, { a: 'x', b: 1.5, c: false });
  });

  it('gives an object without a prototype, so that no name of a client means anything', () => {
    const parameters = readParameters(
      JSON.parse('{"__proto__":1,"constructor":"c","toString":true}'),
      'parameters',
    );
    assert.equal(Object.getPrototypeOf(parameters), null);
    assert.deepEqual(Object.keys(parameters), ['__proto__', 'constructor', 'toString']);
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
    assert.equal(parameters['hasOwnProperty'], undefined);
  });

  for (const [value, message] of [
    [[], /expected an object, found an array of 0/],
    ['x', /expected an object, found "x"/],
    [{ a: {} }, /"a": expected a string, number or boolean, found an object/],
    [{ a: null }, /"a": .*found null/],
    [{ triton_a: 1 }, /"triton_a": names in triton_ are reserved/],
    [Object.fromEntries(Array.from({ length: 257 }, (_, i) => [i, i])), /more than 256/],
  ] as const) {
    it(`refuses ${JSON.stringify(value).slice(0, 40)}`, () => {
      assert.throws(() => readParameters(value, 'parameters'), malformed(message));
    });
  }

  it('takes absent, null and empty as none', () => {
    for (const none of [undefined, null, {}]) assert.deepEqual(Object.keys(readParameters(none, 'p')), []);
  });
});

describe('timeoutOf', () => {
  for (const [timeout, ms] of [
    [0, undefined],
    [1, 1],
    [1000, 1],
    [1001, 2],
    [2_500_000, 2500],
    [Number.MAX_SAFE_INTEGER, 2_147_483_647],
  ] as const) {
    it(`${timeout} µs → ${ms} ms`, () => assert.equal(timeoutOf({ timeout }), ms));
  }

  it('is undefined where there is none', () => assert.equal(timeoutOf({}), undefined));

  for (const timeout of [-1, 1.5, 2 ** 53, '1000', true]) {
    it(`refuses ${JSON.stringify(timeout)}`, () => {
      assert.throws(() => timeoutOf({ timeout }), malformed(/timeout: expected microseconds/));
    });
  }
});

describe('isReservedParameter', () => {
  it('knows the names of the protocol', () => {
    for (const name of ['timeout', 'priority', 'headers', 'binary_data_output', 'sequence_id', 'triton_x']) {
      assert.ok(isReservedParameter(name), name);
    }
    assert.ok(!isReservedParameter('selvage_variant'));
  });
});
