import { isUtf8 } from 'node:buffer';
import { reasonOf, SelvageError } from './errors.ts';

/** A parsed JSON object. Read it by name only: its keys are the client's, `__proto__` among them. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The protocol needs 4 levels and a nested tensor one per dimension; each level costs the parser memory. */
const MAX_DEPTH = 64;
/** Below this many bytes no nesting can do harm, so small requests are spared the look. */
const DEPTH_CHECK_BYTES = 4096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses the UTF-8 JSON object in the first `bytes` bytes of `body`. Throws REQUEST_MALFORMED where it is no JSON,
 * no object, not UTF-8, or nested more than 64 levels deep (found before the parser spends memory on it).
 */
export function parseJsonObject(body: Buffer, bytes: number = body.byteLength): JsonObject {
  if (bytes > DEPTH_CHECK_BYTES) checkDepth(body, bytes);
  const text = body.toString('utf8', 0, bytes);
  // Decoding puts U+FFFD where the bytes are not UTF-8; the exact look is needed only where one is seen.
  if (text.includes('\ufffd') && !isUtf8(body.subarray(0, bytes))) {
    throw malformed('request body', 'the JSON is not UTF-8');
  }
  const document = parse(text);
  if (!isObject(document)) {
    throw malformed('request body', `expected a JSON object, found ${describe(document)}`);
  }
  return document;
}

/** Whether a JSON value is an object (and not null or an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A JSON value in a few words for an error message; strings are cut at 40 characters. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return isObject(value) ? 'an object' : String(value);
}

/** The error for a request that is not in the protocol's form: `what` is the part, `problem` what is wrong with it. */
export function malformed(what: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('REQUEST_MALFORMED', { what, problem }, cause);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed('request body', `not valid JSON: ${reasonOf(error)}`, error);
  }
}

function checkDepth(body: Buffer, bytes: number): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes; index++) {
    const byte = body[index];
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > MAX_DEPTH)
        throw malformed('request body', `JSON nested more than ${MAX_DEPTH} levels deep`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
    }
  }
}
