import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import { checkRequest } from './check-request.ts';
import type { InferRequest, ModelSignature } from './infer.ts';
import { joinBytes, type Tensor } from './tensor.ts';

const signature: ModelSignature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 3] },
    { name: 'words', datatype: 'BYTES', shape: [-1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
};

const x: Tensor = { name: 'x', datatype: 'FP32', shape: [2, 3], data: new Uint8Array(24) };
const words = text('one', '', 'drei');

function text(...elements: string[]): Tensor {
  return {
    name: 'words',
    datatype: 'BYTES',
    shape: [elements.length],
    data: joinBytes(elements.map((element) => Buffer.from(element))),
  };
}

function raw(shape: number[], ...bytes: number[]): Tensor {
  return { name: 'words', datatype: 'BYTES', shape, data: Uint8Array.from(bytes) };
}

function request(inputs: Tensor[], outputs?: string[]): InferRequest {
  return {
    model: 'm',
    parameters: {},
    inputs,
    outputs: outputs?.map((name) => ({ name, classCount: 0 })),
  };
}

describe('checkRequest', () => {
  it('accepts what the signature describes, free dimensions of any size, zero included', () => {
    checkRequest(request([x, words]), signature);
    checkRequest(request([words, x], ['y']), signature);
    checkRequest(request([{ ...x, shape: [0, 3], data: new Uint8Array(0) }, text()]), signature);
    checkRequest(request([x, text('Grüße, 世界')]), signature);
  });

  const failures: ReadonlyArray<
    readonly [what: string, request: InferRequest, code: string, message: RegExp]
  > = [
    [
      'an unknown input',
      request([x, words, { ...x, name: 'z' }]),
      'INPUT_UNKNOWN',
      /no input 'z'; it has 'x', 'words'/,
    ],
    ['a missing input', request([x]), 'INPUT_MISSING', /needs input 'words'/],
    ['no input at all', request([]), 'INPUT_MISSING', /needs input 'x'/],
    ['an input twice', request([x, words, x]), 'INPUT_MISMATCH', /'x'.*once.*2 times/],
    [
      'another datatype',
      request([{ ...x, datatype: 'INT32' }, words]),
      'INPUT_MISMATCH',
      /datatype FP32, found datatype INT32/,
    ],
    [
      'too few dimensions',
      request([{ ...x, shape: [6] }, words]),
      'INPUT_MISMATCH',
      /shape \[-1,3\], found shape \[6\]/,
    ],
    [
      'too many dimensions',
      request([{ ...x, shape: [1, 2, 3] }, words]),
      'INPUT_MISMATCH',
      /found shape \[1,2,3\]/,
    ],
    [
      'another size',
      request([{ ...x, shape: [3, 2] }, words]),
      'INPUT_MISMATCH',
      /shape \[-1,3\], found shape \[3,2\]/,
    ],
    [
      'a byte too few',
      request([{ ...x, data: new Uint8Array(23) }, words]),
      'INPUT_MISMATCH',
      /24 bytes for FP32 \[2,3\], found 23 bytes/,
    ],
    [
      'a byte too many',
      request([{ ...x, data: new Uint8Array(25) }, words]),
      'INPUT_MISMATCH',
      /found 25 bytes/,
    ],
    ['an unknown output', request([x, words], ['y', 'q']), 'OUTPUT_UNKNOWN', /no output 'q'; it has 'y'/],
    [
      'too few strings',
      request([x, { ...words, shape: [4] }]),
      'INPUT_MISMATCH',
      /4 BYTES elements.*found 3 elements/,
    ],
    [
      'a string with NUL',
      request([x, text('ok', 'a\0b')]),
      'INPUT_MISMATCH',
      /'words'.*a NUL byte in element 1/,
    ],
    [
      'a string that is not UTF-8',
      request([x, raw([1], 2, 0, 0, 0, 0xc3, 0x28)]),
      'INPUT_MISMATCH',
      /element 0, which is not UTF-8/,
    ],
    [
      'a length past the data',
      request([x, raw([1], 9, 0, 0, 0, 65)]),
      'INPUT_MISMATCH',
      /element 0 ending 8 bytes past the data/,
    ],
    [
      'a length of 4 GiB',
      request([x, raw([1], 255, 255, 255, 255)]),
      'INPUT_MISMATCH',
      /ending 4294967295 bytes past/,
    ],
    ['a length cut off', request([x, raw([1], 1, 0)]), 'INPUT_MISMATCH', /a length cut off in element 0/],
  ];
  for (const [what, wrong, code, message] of failures) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => checkRequest(wrong, signature),
        (error) => error instanceof SelvageError && error.code === code && message.test(error.message),
      );
    });
  }

  it('refuses a BOOL that is neither 0 nor 1', () => {
    const flags = { name: 'b', datatype: 'BOOL', shape: [3] } as const;
    const wanted = { inputs: [flags], outputs: [] };
    checkRequest(request([{ ...flags, data: Uint8Array.of(0, 1, 1) }]), wanted);
    assert.throws(
      () => checkRequest(request([{ ...flags, data: Uint8Array.of(0, 1, 2) }]), wanted),
      (error) => error instanceof SelvageError && /found 2 as element 2/.test(error.message),
    );
  });

  it('takes a model without inputs, and scalars', () => {
    checkRequest(request([]), { inputs: [], outputs: signature.outputs });
    const scalar = { name: 's', datatype: 'INT64', shape: [] } as const;
    checkRequest(request([{ ...scalar, data: new Uint8Array(8) }]), { inputs: [scalar], outputs: [] });
  });
});
