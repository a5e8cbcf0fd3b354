import { describe, isObject, malformed } from '../lib/json-document.ts';
import type { Parameters, ParameterValue } from '../tensor/infer.ts';

/** Parameter names the protocol's extensions give a meaning; a response never carries them as ours. */
const RESERVED_PARAMETERS: readonly string[] = [
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'headers',
  'binary_data_output',
];

/** No parameters: shared, so that a request without any costs nothing. */
export const NO_PARAMETERS: Parameters = Object.freeze(Object.create(null) as Record<string, ParameterValue>);

const MAX_PARAMETERS = 256;
/** The longest delay a timer of Node takes; about 24.8 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Whether a parameter name is one the protocol or its extensions own (`triton_*` and `sequence_*` included). */
export function isReservedParameter(name: string): boolean {
  return RESERVED_PARAMETERS.includes(name) || name.startsWith('triton_') || name.startsWith('sequence_');
}

/**
 * The request's `parameters`: at most 256 strings, numbers and booleans by name, in an object without a prototype.
 * Absent and null are none. Throws REQUEST_MALFORMED for anything else, and for names that begin with `triton_`,
 * as Triton does.
 */
export function readParameters(value: unknown, what: string): Parameters {
  if (value === undefined || value === null) return NO_PARAMETERS;
  if (!isObject(value)) throw malformed(what, `expected an object, found ${describe(value)}`);
  const names = Object.keys(value);
  if (names.length === 0) return NO_PARAMETERS;
  if (names.length > MAX_PARAMETERS) throw malformed(what, `more than ${MAX_PARAMETERS} of them`);
  const parameters = Object.create(null) as Record<string, ParameterValue>;
  for (const name of names) {
    const one = value[name];
    if (typeof one !== 'string' && typeof one !== 'number' && typeof one !== 'boolean') {
      throw malformed(
        what,
        `${describe(name)}: expected a string, number or boolean, found ${describe(one)}`,
      );
    }
    if (name.startsWith('triton_')) throw malformed(what, `${describe(name)}: names in triton_ are reserved`);
    parameters[name] = one;
  }
  return parameters;
}

/** A boolean parameter, `absent` where it is not given. Throws REQUEST_MALFORMED where it is no boolean. */
export function booleanParameter(
  parameters: Parameters | Readonly<Record<string, unknown>>,
  name: string,
  what: string,
  absent: boolean,
): boolean {
  const value: unknown = parameters[name];
  if (value === undefined) return absent;
  if (typeof value !== 'boolean') {
    throw malformed(what, `${name}: expected true or false, found ${describe(value)}`);
  }
  return value;
}

/**
 * The `timeout` parameter (microseconds in the protocol) in milliseconds, rounded up; undefined where it is absent
 * or 0, which mean no timeout. Throws REQUEST_MALFORMED where it is not a non-negative integer.
 */
export function timeoutOf(parameters: Parameters): number | undefined {
  const timeoutUs = parameters['timeout'];
  if (timeoutUs === undefined || timeoutUs === 0) return undefined;
  if (typeof timeoutUs !== 'number' || !Number.isSafeInteger(timeoutUs) || timeoutUs < 0) {
    throw malformed(
      'parameters',
      `timeout: expected microseconds as an integer, found ${describe(timeoutUs)}`,
    );
  }
  return Math.min(Math.ceil(timeoutUs / 1000), MAX_TIMEOUT_MS);
}
