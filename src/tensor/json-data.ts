import { SelvageError } from '../lib/errors.ts';
import { describe } from '../lib/json-document.ts';
import { shapeText } from './check-request.ts';
import { DATATYPES, type Datatype } from './datatype.ts';
import { fromHalf, toHalf } from './half.ts';
import { bytesOf, elementCount, splitBytes, type Tensor, type TensorSpec, typedView } from './tensor.ts';

/**
 * Tensor data in JSON: `data` as a flat array of the elements, or nested as the shape says. `oip-binary.ts` of
 * the protocol is its twin for the binary form.
 */

type NumberDatatype = Exclude<Datatype, 'INT64' | 'UINT64' | 'BYTES'>;

/** Turns a JSON value into an element; undefined where it is none. */
type ReadElement<Element> = (value: unknown) => Element | undefined;

interface ElementFormat<Element> {
  /** What an element looks like, for error messages. */
  readonly expected: string;
  readonly read: ReadElement<Element>;
}

const NUMBER_FORMATS: Readonly<Record<NumberDatatype, ElementFormat<number>>> = {
  BOOL: { expected: 'true or false', read: readBool },
  UINT8: integer(0, 255),
  UINT16: integer(0, 65_535),
  UINT32: integer(0, 4_294_967_295),
  INT8: integer(-128, 127),
  INT16: integer(-32_768, 32_767),
  INT32: integer(-2_147_483_648, 2_147_483_647),
  FP16: { expected: 'a number between -65504 and 65504', read: readHalf },
  FP32: { expected: 'a number between -3.4028235e38 and 3.4028235e38', read: readFloat },
  FP64: { expected: 'a finite number', read: readDouble },
};

const BIGINT_FORMATS: Readonly<Record<'INT64' | 'UINT64', ElementFormat<bigint>>> = {
  INT64: bigInteger(-(2n ** 63n), 2n ** 63n - 1n),
  UINT64: bigInteger(0n, 2n ** 64n - 1n),
};

/**
 * The `data` of an input as the tensor's bytes. `exactData` reads the same `data` again with long integers as
 * decimal strings: it is asked only where an INT64 or UINT64 element is too large for a JavaScript number. Throws
 * INPUT_MISMATCH, naming the tensor and the element, where the elements are too few, too many, nested otherwise
 * than the shape, or no values of the datatype.
 */
export function decodeTensorData(input: TensorSpec, data: unknown, exactData: () => unknown): Uint8Array {
  const { datatype } = input;
  const elements = flatten(input, data);
  if (datatype === 'BYTES') return joinStrings(input, elements);
  const ArrayType = DATATYPES[datatype].array;
  const target = new ArrayType(elements.length);
  if (datatype === 'INT64' || datatype === 'UINT64') {
    const exact = elements.some(isInexact) ? flatten(input, exactData()) : elements;
    fill(input, target as BigInt64Array | BigUint64Array, exact, BIGINT_FORMATS[datatype]);
  } else {
    fill(input, target as Float64Array, elements, NUMBER_FORMATS[datatype]);
  }
  return bytesOf(target);
}

/**
 * The elements of a tensor as the text of a flat JSON array. 64-bit integers keep every digit. JSON has no NaN and
 * no infinities: they become null; -0 becomes 0. Bytes of BYTES elements that are not UTF-8 become U+FFFD.
 */
export function encodeTensorData(tensor: Tensor): string {
  switch (tensor.datatype) {
    case 'BYTES':
      return JSON.stringify(
        (splitBytes(tensor.data) ?? []).map((element) =>
          Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString('utf8'),
        ),
      );
    case 'BOOL':
      return JSON.stringify(Array.from(tensor.data, (value) => value !== 0));
    case 'FP16':
      return JSON.stringify(Array.from(typedView('FP16', tensor.data) as Uint16Array, fromHalf));
    case 'FP32':
    case 'FP64':
      return JSON.stringify(Array.from(typedView(tensor.datatype, tensor.data) as Float64Array));
    default:
      return `[${typedView(tensor.datatype, tensor.data).join(',')}]`;
  }
}

/** The elements in row-major order; `data` itself where it is flat. */
function flatten(input: TensorSpec, data: unknown): readonly unknown[] {
  const { shape } = input;
  const count = elementCount(shape);
  if (!Array.isArray(data)) {
    if (shape.length === 0 && data !== undefined && data !== null) return [data];
    throw mismatch(input, `data as an array of ${count} elements`, describe(data));
  }
  if (shape.length < 2 || !Array.isArray(data[0])) {
    if (data.length !== count) {
      throw mismatch(input, `${count} elements for shape ${shapeText(shape)}`, `${data.length}`);
    }
    return data;
  }
  const elements: unknown[] = [];
  collect(input, data, 0, elements);
  return elements;
}

/** As deep as the shape has dimensions, which the decoder of the request bounds. */
function collect(input: TensorSpec, level: unknown, axis: number, elements: unknown[]): void {
  const { shape } = input;
  if (!Array.isArray(level) || level.length !== shape[axis]) {
    const expected = `data flat or nested as ${shapeText(shape)}`;
    const wanted = `an array of ${shape[axis]} in dimension ${axis}`;
    throw mismatch(input, `${expected}, so ${wanted} before element ${elements.length}`, describe(level));
  }
  if (axis === shape.length - 1) {
    for (const element of level) elements.push(element);
  } else {
    for (const inner of level) collect(input, inner, axis + 1, elements);
  }
}

function fill<Element>(
  input: TensorSpec,
  target: { [index: number]: Element },
  elements: readonly unknown[],
  format: ElementFormat<Element>,
): void {
  const { read } = format;
  for (let index = 0; index < elements.length; index++) {
    const element = read(elements[index]);
    if (element === undefined) throw wrongElement(input, index, format.expected, elements[index]);
    target[index] = element;
  }
}

function joinStrings(input: TensorSpec, elements: readonly unknown[]): Uint8Array {
  let sizeBytes = 0;
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (typeof element !== 'string') throw wrongElement(input, index, 'a string', element);
    sizeBytes += 4 + Buffer.byteLength(element);
  }
  const joined = Buffer.allocUnsafe(sizeBytes);
  let offset = 0;
  for (const element of elements as readonly string[]) {
    const written = joined.write(element, offset + 4);
    joined.writeUInt32LE(written, offset);
    offset += 4 + written;
  }
  return joined;
}

function integer(min: number, max: number): ElementFormat<number> {
  return {
    expected: `an integer between ${min} and ${max}`,
    read: (value) =>
      typeof value === 'number' && value >= min && value <= max && Number.isInteger(value)
        ? value
        : undefined,
  };
}

function bigInteger(min: bigint, max: bigint): ElementFormat<bigint> {
  return {
    expected: `an integer between ${min} and ${max}`,
    read: (value) => {
      const exact = Number.isSafeInteger(value) ? BigInt(value as number) : decimal(value);
      return exact !== undefined && exact >= min && exact <= max ? exact : undefined;
    },
  };
}

/** A decimal string of at most 20 digits; `BigInt` alone would take hexadecimal, blanks and megabytes. */
function decimal(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function isInexact(value: unknown): boolean {
  return typeof value === 'number' && !Number.isSafeInteger(value);
}

function readBool(value: unknown): number | undefined {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : undefined;
}

function readHalf(value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined;
  const bits = toHalf(value);
  return (bits & 0x7c00) === 0x7c00 ? undefined : bits;
}

function readFloat(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(Math.fround(value)) ? value : undefined;
}

function readDouble(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function wrongElement(input: TensorSpec, index: number, expected: string, found: unknown): SelvageError {
  return mismatch(input, `${input.datatype}, ${expected}, as element ${index}`, describe(found));
}

function mismatch(input: TensorSpec, expected: string, found: string): SelvageError {
  return SelvageError.of('INPUT_MISMATCH', { input: input.name, expected, found });
}
