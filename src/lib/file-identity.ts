import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * What tells that a file is the one seen before without reading it, as git's index does
 * (https://git-scm.com/docs/index-format): 64-bit numbers are decimal text, so that it survives JSON.
 */
export interface FileIdentity {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  /** Also changes where a tool puts an old mtime on new content (`cp -p`, `rsync -t`). */
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
}

/** The identity of the file at `path` (links are followed); undefined where there is none or it cannot be seen. */
export async function fileIdentity(path: string): Promise<FileIdentity | undefined> {
  try {
    return identityOfStats(path, await stat(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

/** The identity in the result of a `stat` with `bigint: true`. */
export function identityOfStats(path: string, stats: BigIntStats): FileIdentity {
  return {
    path,
    sizeBytes: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    inode: String(stats.ino),
    device: String(stats.dev),
  };
}

/** One line that is equal for two identities exactly when every field is equal. */
export function identityKey(file: FileIdentity): string {
  return JSON.stringify([file.path, file.sizeBytes, file.mtimeNs, file.ctimeNs, file.inode, file.device]);
}

/** When the file last changed by its own account, in milliseconds since the epoch. */
export function changedAtMs(file: FileIdentity): number {
  const changed = [BigInt(file.mtimeNs), BigInt(file.ctimeNs)];
  return Number(changed.reduce((late, one) => (one > late ? one : late)) / 1_000_000n);
}
