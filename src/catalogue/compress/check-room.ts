import { statfs } from 'node:fs/promises';
import { reasonOf, SelvageError } from '../../lib/errors.ts';

/** Room for the manifest and the report, in bytes. */
const SMALL_FILES_BYTES = 4 * 1024 * 1024;
/** Copies of the model on disk at one time, beside the variants: simplified, and to be observed or loaded. */
const WORKING_COPIES = 3;

/**
 * Makes sure that the disk has room for what a job will write: its working copies and a file for each variant, each
 * as large as the model at most. Throws FILE_UNWRITABLE, saying how much is missing.
 */
export async function checkRoom(folder: string, modelBytes: number, variants: number): Promise<void> {
  const neededBytes = modelBytes * (WORKING_COPIES + variants) + SMALL_FILES_BYTES;
  const { bavail, bsize } = await statfs(folder).catch((thrown: unknown) => {
    throw SelvageError.of('FILE_UNWRITABLE', { path: folder, reason: reasonOf(thrown) }, thrown);
  });
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const reason = `the disk has ${mib(freeBytes)} MiB free, and up to ${mib(neededBytes)} MiB are needed`;
  throw SelvageError.of('FILE_UNWRITABLE', { path: folder, reason });
}
