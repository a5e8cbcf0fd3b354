import { describe, type JsonObject, malformed } from '../lib/json-document.ts';

/** Where a tensor lies in a registered region of shared memory: the protocol's system shared memory extension. */
export interface SharedPart {
  readonly region: string;
  /** From the region's start, in bytes. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Regions of shared memory that clients have registered. */
export interface SharedRegions {
  /** A copy of a part. Throws REGION_UNKNOWN, REGION_INVALID or BODY_TOO_LARGE. */
  read(part: SharedPart): Buffer;
  /** Writes a tensor's data to the beginning of a part. Throws REGION_UNKNOWN, or REGION_INVALID where it is too small. */
  write(part: SharedPart, data: Uint8Array): void;
}

/** The part that a tensor's parameters name; undefined where they name none. Throws REQUEST_MALFORMED. */
export function readSharedPart(parameters: JsonObject, what: string): SharedPart | undefined {
  const region = parameters['shared_memory_region'];
  if (region === undefined) return undefined;
  if (typeof region !== 'string' || region === '') {
    throw malformed(what, `shared_memory_region: expected a name, found ${describe(region)}`);
  }
  const sizeBytes = readCount(parameters, 'shared_memory_byte_size', undefined, what);
  return { region, offset: readCount(parameters, 'shared_memory_offset', 0, what), sizeBytes };
}

/** A whole number of bytes; `fallback` where it is not given. Throws REQUEST_MALFORMED. */
export function readCount(
  from: JsonObject,
  name: string,
  fallback: number | undefined,
  what: string,
): number {
  const value = from[name] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw malformed(what, `${name}: expected a number of bytes, found ${describe(value)}`);
}
