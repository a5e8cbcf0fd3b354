import { stat } from 'node:fs/promises';
import { errnoInWords } from '../../lib/errno.ts';
import { SelvageError } from '../../lib/errors.ts';
import { openDataFile, readRange } from './data-file.ts';
import { type Dataset, dataInvalid } from './dataset.ts';
import { isNpy } from './npy-header.ts';
import { openImages } from './open-images.ts';
import { openJsonl } from './open-jsonl.ts';
import { openNpy } from './open-npy.ts';
import { openNpz } from './open-npz.ts';
import type { OpenOptions } from './open-options.ts';

const HEAD_BYTES = 4096;
/** `PK` and the number of a local header, or of the end of an archive without files. */
const ZIP_STARTS = ['504b0304', '504b0506'];

/**
 * Opens data for a model, whatever it is: a folder of images, a `.npy` or `.npz` file, or JSON lines of recorded
 * requests; files are told apart by their contents. Throws DATA_EMPTY, DATA_INVALID, DATA_MISMATCH, LABELS_INVALID,
 * FILE_UNREADABLE or (unpacking a compressed archive) FILE_UNWRITABLE.
 */
export async function openDataset(path: string, options: OpenOptions): Promise<Dataset> {
  const status = await stat(path).catch((error: unknown) => {
    throw SelvageError.of('FILE_UNREADABLE', { path, reason: errnoInWords(error) }, error);
  });
  const open = status.isDirectory() ? openImages : await openerOf(path);
  const dataset = await open(path, options);
  if (dataset.size > 0) return dataset;
  await dataset.close();
  throw SelvageError.of('DATA_EMPTY', { path, problem: 'holds no samples' });
}

async function openerOf(path: string): Promise<(path: string, options: OpenOptions) => Promise<Dataset>> {
  const file = await openDataFile(path);
  try {
    if (file.sizeBytes === 0) throw SelvageError.of('DATA_EMPTY', { path, problem: 'is empty' });
    const head = await readRange(path, file, 0, Math.min(file.sizeBytes, HEAD_BYTES));
    if (isNpy(head)) return openNpy;
    if (ZIP_STARTS.includes(head.toString('hex', 0, 4))) return openNpz;
    if (/^\s*\{/.test(head.toString('latin1'))) return openJsonl;
    throw dataInvalid(
      path,
      'is none of: a folder of images, a .npy or .npz file, JSON lines of inference requests',
    );
  } finally {
    await file.handle.close();
  }
}
