import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { errnoOf, reasonOf } from '../lib/errors.ts';
import { printable, quoted } from './describe.ts';
import type { ModelProto, TensorProto } from './gen/onnx_pb.ts';
import { allTensors } from './walk.ts';

/** `TensorProto.DataLocation`. */
const DATA_LOCATION = { default: 0, external: 1 } as const;

/** Where a tensor's elements lie: `lengthBytes` (undefined: to the end) from `offsetBytes` of the file `location`. */
export interface ExternalReference {
  /** Path relative to the model's folder, as the model writes it. */
  readonly location: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number | undefined;
}

/** What kept a reference from being used. */
export interface ExternalProblem {
  readonly problem: string;
}

/** Whether a tensor's elements lie in another file. */
export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === DATA_LOCATION.external;
}

/** The names of the files that a model keeps tensors in, as it writes them, each once, in order of appearance. */
export function externalFiles(model: ModelProto): string[] {
  const locations = new Set<string>();
  for (const tensor of allTensors(model)) {
    if (!isExternal(tensor)) continue;
    const location = entryOf(tensor, 'location');
    if (location !== undefined) locations.add(location);
  }
  return [...locations];
}

/** Reads the `external_data` entries of a tensor; refuses locations that could name a file outside the folder. */
export function externalReference(tensor: TensorProto): ExternalReference | ExternalProblem {
  const location = entryOf(tensor, 'location');
  if (location === undefined || location === '') return { problem: 'names no file for its external data' };
  const refused = refusedLocation(location);
  if (refused !== undefined) {
    return { problem: `has external data in ${quoted(location)}, ${refused}` };
  }
  const offsetBytes = parseCount(entryOf(tensor, 'offset') ?? '0');
  const length = entryOf(tensor, 'length');
  const lengthBytes = length === undefined ? undefined : parseCount(length);
  if (offsetBytes === undefined || (length !== undefined && lengthBytes === undefined)) {
    return { problem: 'has an offset or length of external data that is not a whole number' };
  }
  return { location, offsetBytes, lengthBytes };
}

/**
 * The size of the file `location` beside the model at `modelPath`, after symbolic links are resolved: it must be a
 * regular file below the model's own folder. (A hard link cannot be told from a file; the kernel's protected_hardlinks
 * keeps people from making them to files they may not write.)
 */
export function locateExternal(modelPath: string, location: string): { sizeBytes: number } | ExternalProblem {
  const folder = dirname(modelPath);
  try {
    const path = realpathSync(join(folder, location));
    const inside = relative(realpathSync(folder), path);
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      return {
        problem: `external data file ${quoted(location)} is a link to a file outside the model's folder`,
      };
    }
    const info = statSync(path);
    if (!info.isFile()) return { problem: `external data file ${quoted(location)} is not a regular file` };
    return { sizeBytes: info.size };
  } catch (thrown) {
    const missing = errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR';
    const reason = missing
      ? "is missing from the model's folder"
      : `cannot be read: ${printable(reasonOf(thrown))}`;
    return { problem: `external data file ${quoted(location)} ${reason}` };
  }
}

function refusedLocation(location: string): string | undefined {
  if (isAbsolute(location) || /^[a-z]:|^\\/i.test(location)) return 'an absolute path: it must be relative';
  if (location.split(/[/\\]/).includes('..')) return "which leads out of the model's folder";
  if (location.includes('\0')) return 'which holds a NUL character';
  // ONNX Runtime reads such a location as an address in its own memory.
  if (location.includes('_ORT_MEM_ADDR_')) return 'an address in memory';
  return undefined;
}

function entryOf(tensor: TensorProto, key: string): string | undefined {
  return tensor.externalData.find((entry) => entry.key === key)?.value;
}

function parseCount(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
