import { SelvageError } from '../lib/errors.ts';
import { describe, isObject, type JsonObject, malformed } from '../lib/json-document.ts';
import { DATATYPE_NAMES, type Datatype, isDatatype } from '../tensor/datatype.ts';
import { NO_PARAMETERS } from './parameters.ts';

/** The fields of an infer request in JSON: each reader gives the checked value or throws naming what is wrong. */

const MAX_TENSORS = 1024;
const MAX_NAME_LENGTH = 1024;
const MAX_ID_BYTES = 1024;
const MAX_RANK = 32;
const MAX_DIMENSION = 2 ** 31 - 1;
const MAX_ELEMENTS = 2 ** 40;

/** A tensor's datatype. Throws DATATYPE_UNSUPPORTED for BF16, the 4-bit types and whatever is no datatype. */
export function readDatatype(datatype: unknown, tensor: string): Datatype {
  if (isDatatype(datatype)) return datatype;
  throw SelvageError.of('DATATYPE_UNSUPPORTED', {
    tensor,
    datatype: describe(datatype),
    supported: DATATYPE_NAMES.join(', '),
  });
}

/** A tensor's shape: at most 32 dimensions of 0 to 2^31 - 1, and at most 2^40 elements. Throws REQUEST_MALFORMED. */
export function readShape(shape: unknown, tensor: string): readonly number[] {
  if (!Array.isArray(shape)) {
    throw malformed(`input '${tensor}'`, `shape: expected an array of integers, found ${describe(shape)}`);
  }
  if (shape.length > MAX_RANK) {
    throw malformed(
      `input '${tensor}'`,
      `shape: expected at most ${MAX_RANK} dimensions, found ${shape.length}`,
    );
  }
  let count = 1;
  for (const dimension of shape as readonly unknown[]) {
    if (!Number.isInteger(dimension) || (dimension as number) < 0 || (dimension as number) > MAX_DIMENSION) {
      throw malformed(
        `input '${tensor}'`,
        `shape: expected integers between 0 and ${MAX_DIMENSION}, found ${describe(dimension)}`,
      );
    }
    count *= dimension as number;
    if (count > MAX_ELEMENTS) {
      throw malformed(`input '${tensor}'`, `shape: expected at most ${MAX_ELEMENTS} elements, found more`);
    }
  }
  return shape as readonly number[];
}

/** The parameters of an input; null counts as none. Throws as `checkTensorParameters`. */
export function readInputParameters(parameters: unknown, tensor: string, shared: boolean): JsonObject {
  if (parameters === undefined || parameters === null) return NO_PARAMETERS;
  return checkTensorParameters(parameters, `input '${tensor}'`, shared);
}

/**
 * The parameters of one tensor: strings, numbers and booleans. Throws REQUEST_MALFORMED for others and NOT_SUPPORTED
 * where they put the tensor in shared memory and that is off.
 */
export function checkTensorParameters(parameters: unknown, what: string, shared: boolean): JsonObject {
  if (!isObject(parameters)) {
    throw malformed(what, `parameters: expected an object, found ${describe(parameters)}`);
  }
  for (const name in parameters) {
    const value = parameters[name];
    if (typeof value === 'object' && value !== null) {
      throw malformed(
        what,
        `parameters: ${describe(name)}: expected a string, number or boolean, found ${describe(value)}`,
      );
    }
    if (name === 'shared_memory_region' && !shared)
      throw SelvageError.of('NOT_SUPPORTED', { feature: 'shared memory' });
  }
  return parameters;
}

/** The `classification` parameter of an output, 0 where it has none. Throws REQUEST_MALFORMED. */
export function readClassCount(value: unknown, what: string): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw malformed(what, `classification: expected a number of classes, found ${describe(value)}`);
  }
  return value as number;
}

/** A list of at most 1024 tensors. Throws REQUEST_MALFORMED. */
export function readList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what, `expected an array, found ${describe(value)}`);
  if (value.length > MAX_TENSORS) {
    throw malformed(what, `expected at most ${MAX_TENSORS}, found ${value.length}`);
  }
  return value;
}

/** A tensor's name: 1 to 1024 characters. Throws REQUEST_MALFORMED. */
export function readName(name: unknown, what: string, index: number): string {
  if (typeof name !== 'string' || name.length === 0 || name.length > MAX_NAME_LENGTH) {
    const expected = `a string of 1 to ${MAX_NAME_LENGTH} characters`;
    throw malformed(`${what}[${index}]`, `name: expected ${expected}, found ${describe(name)}`);
  }
  return name;
}

/** The request's id, at most 1 KiB; undefined where it has none. Throws REQUEST_MALFORMED. */
export function readId(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id !== 'string') throw malformed('id', `expected a string, found ${describe(id)}`);
  if (Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw malformed('id', `expected at most ${MAX_ID_BYTES} bytes, found ${Buffer.byteLength(id)}`);
  }
  return id;
}

/** Checks that no tensor is there more than once. Throws REQUEST_MALFORMED. */
export function checkNames(all: readonly { readonly name: string }[], what: string): void {
  if (all.length < 2) return;
  const names = new Set<string>();
  for (const { name } of all) {
    if (names.has(name)) throw malformed(what, `'${name}' is there more than once`);
    names.add(name);
  }
}
