import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { errnoInWords } from '../../lib/errno.ts';
import { type ErrorCode, SelvageError } from '../../lib/errors.ts';
import { classIndex, type LabelScheme } from './class-index.ts';
import { fingerprintHash, readSmallFile } from './data-file.ts';
import {
  checkedSample,
  DATA_LIMITS,
  type Dataset,
  dataInvalid,
  type Sample,
  sampleSpecs,
} from './dataset.ts';
import { readLabelsFile } from './labels-file.ts';
import type { DecodeImage, OpenOptions } from './open-options.ts';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
};

/** Errors of decoding that are a fault of the image, not of the machine. */
const IMAGE_FAULTS: readonly ErrorCode[] = ['MEDIA_UNREADABLE', 'MEDIA_TYPE_UNSUPPORTED'];

/**
 * A folder of images (JPEG, PNG, WebP; folders inside it too, hidden files and links to folders not), by path in code
 * unit order. Labels come from `options.labels`, else from the names of the folders directly inside it, where those
 * are the model's classes: class names, class indices, or exactly as many folders as classes (then in order). Each
 * image is decoded when it is asked for. Throws DATA_EMPTY, DATA_INVALID, DATA_MISMATCH, LABELS_INVALID or
 * FILE_UNREADABLE.
 */
export async function openImages(folder: string, options: OpenOptions): Promise<Dataset> {
  const { decode, signature } = options;
  const files = await listImages(folder);
  if (files.length === 0) {
    throw SelvageError.of('DATA_EMPTY', { path: folder, problem: 'holds no JPEG, PNG or WebP images' });
  }
  if (decode === undefined) {
    throw dataInvalid(
      folder,
      'images need to know how the model wants them: give the model a task, or arrays instead',
    );
  }
  const { labels, warnings } = await labelsOf(files, options);
  const read = (index: number) => readImage(folder, files[index] ?? '', decode, options);
  const first = await read(0);
  return {
    size: files.length,
    inputs: sampleSpecs(first, signature),
    labels,
    describe: `${files.length} images in ${folder}`,
    warnings,
    sample: read,
    async fingerprint() {
      const hash = fingerprintHash(labels);
      for (const file of files) {
        const bytes = await readSmallFile(join(folder, file), DATA_LIMITS.imageBytes);
        hash.update(`${JSON.stringify(file)} ${bytes.length}\n`).update(bytes);
      }
      return hash.digest('hex');
    },
    close: async () => {},
  };
}

async function readImage(
  folder: string,
  file: string,
  decode: DecodeImage,
  { signature }: OpenOptions,
): Promise<Sample> {
  const path = join(folder, file);
  const bytes = await readSmallFile(path, DATA_LIMITS.imageBytes);
  const tensors = await decode(bytes, mediaTypeOf(file) ?? '').catch((error: unknown) => {
    const isFault = error instanceof SelvageError && IMAGE_FAULTS.includes(error.code);
    throw isFault ? dataInvalid(path, error.message, error) : error;
  });
  return checkedSample(folder, file, tensors, signature);
}

/** Paths of the images below `folder`, with `/` between their parts, sorted. */
async function listImages(folder: string): Promise<string[]> {
  const files: string[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    if (depth > DATA_LIMITS.folderDepth) {
      throw dataInvalid(folder, `${below} is more than ${DATA_LIMITS.folderDepth} folders deep`);
    }
    for (const entry of await entriesOf(join(folder, below))) {
      if (entry.name.startsWith('.')) continue;
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await visit(name, depth + 1);
      else if (mediaTypeOf(name) !== undefined && (await isFile(join(folder, name), entry))) files.push(name);
      if (files.length > DATA_LIMITS.images) {
        throw dataInvalid(
          folder,
          `holds more than ${DATA_LIMITS.images} images: give a folder with a part of them`,
        );
      }
    }
  };
  await visit('', 0);
  return files.sort();
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw SelvageError.of('FILE_UNREADABLE', { path: folder, reason: errnoInWords(error) }, error);
  });
}

async function isFile(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

function mediaTypeOf(file: string): string | undefined {
  return MEDIA_TYPES[extname(file).toLowerCase()];
}

async function labelsOf(
  files: readonly string[],
  options: OpenOptions,
): Promise<{ labels: Int32Array | undefined; warnings: string[] }> {
  if (options.labels !== undefined) {
    const labels = await readLabelsFile(options.labels, { ...options, size: files.length, files });
    return { labels, warnings: [] };
  }
  const folders = [...new Set(files.map((file) => (file.includes('/') ? (file.split('/')[0] ?? '') : '')))];
  if (folders.includes('') || folders.length < 2) return { labels: undefined, warnings: [] };
  const classes = folderClasses(folders, options);
  if (classes !== undefined) {
    return {
      labels: Int32Array.from(files, (file) => classes.get(file.split('/')[0] ?? '') ?? 0),
      warnings: [],
    };
  }
  const warning = `the names of the ${folders.length} folders inside are not the model's classes, so they are not taken for labels`;
  return { labels: undefined, warnings: [warning] };
}

/** Class by folder; undefined where the folders are not the model's classes. `folders` are sorted. */
function folderClasses(folders: readonly string[], options: LabelScheme): Map<string, number> | undefined {
  try {
    return new Map(folders.map((folder) => [folder, classIndex(folder, 'the folder', folder, options)]));
  } catch (error) {
    if (!(error instanceof SelvageError)) throw error;
  }
  if (options.classCount !== folders.length) return undefined;
  return new Map(folders.map((folder, index) => [folder, index]));
}
