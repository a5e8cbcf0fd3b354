import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binaryInput, decode, floats, signature, x } from '../../test/oip-request.ts';
import { type ErrorCode, SelvageError } from '../lib/errors.ts';
import { checkRequest } from '../tensor/check-request.ts';
import { decodeInferRequest } from './oip-http.ts';

describe('a request that is wrong is refused by name', () => {
  type Row = readonly [what: string, run: () => unknown, code: ErrorCode, message: RegExp];
  const json = (what: string, body: unknown, message: RegExp, code: ErrorCode = 'REQUEST_MALFORMED'): Row => [
    what,
    () => decode(body),
    code,
    message,
  ];
  const data = (what: string, datatype: string, elements: unknown, message: RegExp): Row => [
    what,
    () => decode(x(elements, datatype, [1])),
    'INPUT_MISMATCH',
    message,
  ];
  const sized = (what: string, inputs: unknown[], message: RegExp, headerLength?: number): Row => [
    what,
    () => decode({ inputs }, floats, headerLength),
    'REQUEST_MALFORMED',
    message,
  ];
  const output = (
    what: string,
    outputs: unknown,
    message: RegExp,
    code: ErrorCode = 'REQUEST_MALFORMED',
  ): Row => json(what, { inputs: [], outputs }, message, code);

  // biome-ignore format: one line a row
  const rows: readonly Row[] = [
    json('an empty body', '', /not valid JSON/),
    json('broken JSON', '{"inputs":[', /not valid JSON/),
    json('NaN', '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[NaN]}]}', /not valid JSON/),
    json('an array', [], /expected a JSON object, found an array of 0/),
    json('null', 'null', /found null/),
    json('bytes after the JSON', '{"inputs":[]}x', /not valid JSON/),
    json('a deep array', `{"inputs":${'['.repeat(2_000_000)}`, /nested more than 64 levels/),
    json('a deep object', `{"inputs":${'{"a":'.repeat(2_000_000)}`, /nested more than 64 levels/),
    json('a deep tensor', x(JSON.parse('['.repeat(60) + ']'.repeat(60)), 'FP32', [1, 1]), /as element 0, found an array of 1/, 'INPUT_MISMATCH'),
    json('no inputs', {}, /inputs: expected an array, found nothing/),
    json('inputs that are an object', { inputs: {} }, /found an object/),
    json('too many inputs', { inputs: Array.from({ length: 1025 }, () => 0) }, /expected at most 1024, found 1025/),
    json('an input that is null', { inputs: [null] }, /inputs\[0\]: expected an object, found null/),
    json('an input without a name', { inputs: [{}] }, /inputs\[0\]: name: expected .* found nothing/),
    json('an input with an empty name', { inputs: [{ name: '' }] }, /name/),
    json('an input with an endless name', { inputs: [{ name: 'n'.repeat(5000) }] }, /name: expected a string of 1 to 1024/),
    json('BF16', x([1], 'BF16', [1]), /tensor 'x': datatype "BF16" is not supported; supported are BOOL/, 'DATATYPE_UNSUPPORTED'),
    json('a datatype of Object.prototype', x([1], 'toString', [1]), /"toString"/, 'DATATYPE_UNSUPPORTED'),
    json('a datatype that is a number', { inputs: [{ name: 'x', datatype: 1 }] }, /datatype 1/, 'DATATYPE_UNSUPPORTED'),
    json('no shape', { inputs: [{ name: 'x', datatype: 'FP32', data: [1] }] }, /'x': shape: .*found nothing/),
    json('a shape with a fraction', x([1], 'FP32', [1.5]), /shape: expected integers .* found 1.5/),
    json('a negative shape', x([1], 'FP32', [-1]), /found -1/),
    json('a shape of strings', x([1], 'FP32', ['1']), /found "1"/),
    json('a dimension of 2^31', x([1], 'FP32', [2 ** 31]), /found 2147483648/),
    json('a shape that overflows', x([1], 'FP32', [65_536, 65_536, 65_536]), /at most 1099511627776 elements/),
    json('a shape that overflows before an endless dimension', x([1], 'FP32', [2_000_000, 2_000_000, 'a'.repeat(5000)]), /at most 1099511627776 elements/),
    json('too many dimensions', x([1], 'FP32', Array.from({ length: 33 }, () => 1)), /at most 32 dimensions, found 33/),
    json('an input twice', { inputs: [1, 2].map(() => ({ name: 'x', datatype: 'FP32', shape: [1], data: [1] })) }, /'x' is there more than once/),
    json('neither data nor size', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1] }] }, /found neither/),
    json('both data and size', { inputs: [{ ...(binaryInput('x', 4, [1]) as object), data: [1] }] }, /found both/),
    json('a size without the header', { inputs: [binaryInput('x', 16)] }, /binary_data_size is 16, but 0 bytes are left/),
    json('shared memory', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1], parameters: { shared_memory_region: 'r' } }] }, /shared memory is not supported/, 'NOT_SUPPORTED'),
    json('nested tensor parameters', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1], parameters: { a: [] } }] }, /"a": expected a string, number or boolean/),
    json('tensor parameters in an array', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1], parameters: [] }] }, /parameters: expected an object/),
    json('nested parameters', { parameters: { a: { b: 1 } }, inputs: [] }, /parameters: "a"/),
    json('binary_data_output as a string', { parameters: { binary_data_output: 'true' }, inputs: [] }, /binary_data_output: expected true or false/),
    json('an id that is a number', { id: 1, inputs: [] }, /id: expected a string, found 1/),
    json('an endless id', { id: 'ü'.repeat(513), inputs: [] }, /id: expected at most 1024 bytes, found 1026/),

    data('data that are a string', 'FP32', 'AAAA', /input 'x': expected data as an array of 1 elements, found "AAAA"/),
    data('too many elements', 'FP32', [1, 2], /expected 1 elements for shape \[1\], found 2/),
    data('too few elements', 'FP32', [], /found 0/),
    data('elements of an unknown size', 'FP32', [[1]], /element 0, found an array of 1/),
    data('300 as INT8', 'INT8', [300], /INT8, an integer between -128 and 127, as element 0, found 300/),
    data('-1 as UINT8', 'UINT8', [-1], /between 0 and 255.* found -1/),
    data('1.5 as INT32', 'INT32', [1.5], /found 1.5/),
    data('null as INT32', 'INT32', [null], /found null/),
    data('true as INT32', 'INT32', [true], /found true/),
    data('a string as FP32', 'FP32', ['1'], /found "1"/),
    data('null as FP32', 'FP32', [null], /found null/),
    data('1e39 as FP32', 'FP32', [1e39], /between -3.4028235e38 and 3.4028235e38.* found 1e\+39/),
    data('65520 as FP16', 'FP16', [65_520], /between -65504 and 65504/),
    data('2 as BOOL', 'BOOL', [2], /BOOL, true or false, as element 0, found 2/),
    data('a number as BYTES', 'BYTES', [1], /BYTES, a string, as element 0, found 1/),
    data('1.5 as INT64', 'INT64', [1.5], /found 1.5/),
    data('2^63 as INT64', 'INT64', ['9223372036854775808'], /between -9223372036854775808 and 9223372036854775807/),
    data('-1 as UINT64', 'UINT64', [-1], /between 0 and 18446744073709551615/),
    data('1e300 as INT64', 'INT64', [1e300], /found 1e\+300/),
    data('hexadecimal as INT64', 'INT64', ['0x10'], /found "0x10"/),
    data('a blank as INT64', 'INT64', [' '], /found " "/),
    json('1e999 as FP64', '{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1e999]}]}', /a finite number.* found Infinity/, 'INPUT_MISMATCH'),
    json('2^63 as INT64 in a number', '{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[9223372036854775808]}]}', /found "9223372036854775808"/, 'INPUT_MISMATCH'),
    json('a ragged tensor', x([[1, 2], [3]]), /nested as \[2,2\], so an array of 2 in dimension 1 before element 2, found an array of 1/, 'INPUT_MISMATCH'),
    json('a transposed tensor', x([[1, 2, 3], [4, 5, 6]], 'FP32', [3, 2]), /an array of 3 in dimension 0/, 'INPUT_MISMATCH'),
    json('a tensor flat and nested', x([[1, 2], 3]), /before element 2, found 3/, 'INPUT_MISMATCH'),
    json('a claim of 2^31 elements', x([[1, 2]], 'FP64', [1, 2_147_483_647]), /an array of 2147483647/, 'INPUT_MISMATCH'),
    ['a string with NUL', () => checkBytes(['a\u0000b']), 'INPUT_MISMATCH', /a NUL byte in element 0/],

    sized('a size too large', [binaryInput('x', 17)], /binary_data_size is 17, but 16 bytes are left/),
    sized('sizes too large together', [binaryInput('x', 12, [3]), binaryInput('y', 8, [2])], /input 'y'.* is 8, but 4 bytes/),
    sized('sizes too small', [binaryInput('x', 12, [3])], /4 bytes follow the last tensor/),
    sized('bytes without an input', [], /16 bytes follow the last tensor/),
    sized('a negative size', [binaryInput('x', -1)], /expected a number of bytes, found -1/),
    sized('a size that is a string', [binaryInput('x', '16')], /found "16"/),
    sized('a size with a fraction', [binaryInput('x', 15.5)], /found 15.5/),
    sized('a size of 2^53', [binaryInput('x', 2 ** 53)], /found 9007199254740992/),
    sized('a header beyond the body', [binaryInput('x', 16)], /100000 bytes of JSON, but the body has/, 100_000),
    sized('a header too small', [binaryInput('x', 16)], /not valid JSON/, 10),
    ['bytes that are not what the shape says', () => checkBinary([1, 2]), 'INPUT_MISMATCH', /8 bytes for FP32 \[1,2\], found 16 bytes/],
    ['JSON that is not UTF-8', () => decodeBytes(Buffer.from('{"id":"\xff","inputs":[]}', 'latin1')), 'REQUEST_MALFORMED', /not UTF-8/],

    output('outputs in an object', {}, /outputs: expected an array/),
    output('an output that is a string', ['y'], /outputs\[0\]: expected an object, found "y"/),
    output('an output without a name', [{}], /outputs\[0\]: name/),
    output('an output twice', [{ name: 'y' }, { name: 'y' }], /outputs: 'y' is there more than once/),
    output('binary_data as a number', [{ name: 'y', parameters: { binary_data: 1 } }], /output 'y': binary_data: expected true or false, found 1/),
    output('a negative classification', [{ name: 'y', parameters: { classification: -1 } }], /classification: .* found -1/),
    output('an output in shared memory', [{ name: 'y', parameters: { shared_memory_region: 'r' } }], /shared memory/, 'NOT_SUPPORTED'),
  ];

  for (const [what, run, code, message] of rows) {
    it(what, () => {
      assert.throws(run, (error) => {
        assert.ok(error instanceof SelvageError, String(error));
        assert.equal(error.code, code, error.message);
        assert.match(error.message, message);
        assert.ok(error.message.length < 1000, 'the message is bounded');
        return true;
      });
    });
  }

  function checkBytes(strings: string[]): void {
    const words = { name: 'x', datatype: 'BYTES', shape: [-1] } as const;
    checkRequest(decode(x(strings, 'BYTES', [strings.length])).request, { inputs: [words], outputs: [] });
  }

  function checkBinary(shape: number[]): void {
    checkRequest(decode({ inputs: [binaryInput('x', 16, shape)] }, floats).request, signature);
  }

  function decodeBytes(body: Buffer): void {
    decodeInferRequest({ model: 'm', body, headerLength: undefined, signature });
  }
});
