import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  cleanText,
  parseByteSize,
  parseCpuList,
  parseFields,
  parseHex,
  parseInteger,
  parseKib,
  parseStringList,
} from './kernel-values.ts';

/** Each row: what a file says and what it means. */
function table<Value>(
  name: string,
  parse: (text: string) => Value,
  rows: ReadonlyArray<[string, Value]>,
): void {
  describe(name, () => {
    for (const [text, expected] of rows) {
      const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
      it(`${shown} → ${JSON.stringify(expected)?.slice(0, 60)}`, () =>
        assert.deepEqual(parse(text), expected));
    }
  });
}

table<number | undefined>('parseInteger', parseInteger, [
  ['52350\n', 52350],
  ['-40000', -40000],
  ['0', 0],
  ['', undefined],
  ['max', undefined],
  ['12.5', undefined],
  ['0x10', undefined],
  ['1 2', undefined],
  ['NaN', undefined],
  ['1e9', undefined],
  ['9'.repeat(400), undefined],
]);

table<number | undefined>('parseHex', parseHex, [
  ['50005\n', 0x50005],
  ['0x50000', 0x50000],
  ['0', 0],
  ['', undefined],
  ['g', undefined],
  ['-1', undefined],
  ['123456789', undefined],
]);

table<number | undefined>('parseByteSize', parseByteSize, [
  ['512K\n', 524288],
  ['2M', 2097152],
  ['4096', 4096],
  ['1.5M', undefined],
  ['K', undefined],
  ['-1K', undefined],
]);

table<number[] | undefined>('parseCpuList', parseCpuList, [
  ['0-3\n', [0, 1, 2, 3]],
  ['0,2-3,2', [0, 2, 3]],
  ['5', [5]],
  ['', undefined],
  ['3-1', undefined],
  ['0-99999', undefined],
  ['0-9000', undefined],
  ['a-b', undefined],
]);

table<string[]>('parseStringList', parseStringList, [
  ['raspberrypi,5-model-b\0brcm,bcm2712\0', ['raspberrypi,5-model-b', 'brcm,bcm2712']],
  ['\0\0', []],
  ['', []],
]);

table<string | undefined>('cleanText', cleanText, [
  ['Raspberry Pi 5\0', 'Raspberry Pi 5'],
  ['a\u001b[31mred\u0007', 'a [31mred'],
  ['  two \t words\r\n', 'two words'],
  ['\0\0\n', undefined],
  ['\u202eevil', 'evil'],
  ['x'.repeat(5_000_000), 'x'.repeat(120)],
]);

table<number | undefined>('parseKib', parseKib, [
  ['3884396 kB', 3884396 * 1024],
  ['3884396', undefined],
  ['-5 kB', undefined],
]);

describe('parseFields', () => {
  it('takes the first of equal names and skips what is no field', () => {
    const fields = parseFields('a: 1\n: 2\nno separator\na: 3\n b : x:y \n', ':');
    assert.deepEqual(
      [...fields],
      [
        ['a', '1'],
        ['b', 'x:y'],
      ],
    );
  });

  it('survives a line of megabytes', () => {
    assert.equal(parseFields(`${'x'.repeat(4_000_000)}\nMemTotal: 5 kB`, ':').get('MemTotal'), '5 kB');
  });
});
