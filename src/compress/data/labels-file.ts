import { SelvageError } from '../../lib/errors.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import { classIndex, type LabelScheme, labelsInvalid } from './class-index.ts';
import { openDataFile, readSmallFile } from './data-file.ts';
import { DATA_LIMITS } from './dataset.ts';
import { parseDelimited } from './delimited.ts';
import { type NpyArray, openNpyArray } from './npy-array.ts';
import { isNpy } from './npy-header.ts';

const FILE_HEADERS = ['file', 'filename', 'file_name', 'path', 'image'];
const LABEL_HEADERS = [
  'label',
  'labels',
  'class_index',
  'class_id',
  'target',
  'y',
  'class',
  'index',
  'category',
];

/** What the labels are for. */
export interface LabelTarget extends LabelScheme {
  /** Number of samples. */
  readonly size: number;
  /** Paths of the samples below the data's folder, where they are files; labels may then name them. */
  readonly files?: readonly string[] | undefined;
}

/**
 * Reads a file of labels: a `.npy` of integers, comma- or tab-separated text (`.csv`, `.tsv`; with a header or not;
 * `file,label` in any order of rows where the samples are files, else a row for each sample in order), or plain text
 * with a label on each line. A label is a class index or a class name. Throws LABELS_INVALID, FILE_UNREADABLE.
 */
export async function readLabelsFile(path: string, target: LabelTarget): Promise<Int32Array> {
  const bytes = await readSmallFile(path, DATA_LIMITS.labelsBytes).catch((error: unknown) => {
    if (error instanceof SelvageError && error.code !== 'DATA_INVALID') throw error;
    throw labelsInvalid(path, `is no regular file of at most ${DATA_LIMITS.labelsBytes} bytes`, error);
  });
  if (isNpy(bytes)) return readNpyLabels(path, target);
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  if (text.includes('\ufffd') || text.includes('\0'))
    throw labelsInvalid(path, 'is neither UTF-8 text nor a .npy array');
  const delimiter = /\.tsv$/i.test(path) ? '\t' : /\.csv$/i.test(path) ? ',' : undefined;
  if (delimiter === undefined) return inOrder(path, plainLines(text), target);
  const rows = parseDelimited(text, delimiter);
  if (typeof rows === 'string') throw labelsInvalid(path, rows);
  return fromRows(path, rows, target);
}

/** The labels in an integer array of shape [n] or [n,1]. Throws LABELS_INVALID. */
export async function labelsOfArray(path: string, array: NpyArray, target: LabelTarget): Promise<Int32Array> {
  const { datatype, shape } = array;
  const isColumn = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  if (!isColumn || !/^U?INT/.test(datatype)) {
    throw labelsInvalid(path, `expected integers of shape [${target.size}], found ${datatype} [${shape}]`);
  }
  const data = await array.readAll();
  const values = numbersOf({ name: 'labels', datatype, shape, data }) ?? [];
  return inOrder(path, values, target);
}

async function readNpyLabels(path: string, target: LabelTarget): Promise<Int32Array> {
  const file = await openDataFile(path);
  try {
    return await labelsOfArray(path, await openNpyArray(path, file), target);
  } catch (error) {
    if (!(error instanceof SelvageError) || error.code !== 'DATA_INVALID') throw error;
    throw labelsInvalid(path, error.message.replace(`${path}: `, ''), error);
  } finally {
    await file.handle.close();
  }
}

function inOrder(path: string, labels: ArrayLike<unknown>, target: LabelTarget): Int32Array {
  if (labels.length !== target.size) {
    throw labelsInvalid(path, `${labels.length} labels for ${target.size} samples`);
  }
  return Int32Array.from({ length: target.size }, (_, index) =>
    classIndex(path, `label ${index + 1}`, labels[index], target),
  );
}

function plainLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function fromRows(path: string, rows: readonly string[][], target: LabelTarget): Int32Array {
  const columns = findColumns(rows, target);
  const body = columns.header ? rows.slice(1) : rows;
  if (columns.file === undefined) {
    return inOrder(
      path,
      body.map((row) => row[columns.label]),
      target,
    );
  }
  const byFile = new Map<string, string | undefined>();
  for (const row of body)
    byFile.set((row[columns.file] ?? '').trim().replace(/^\.\//, ''), row[columns.label]);
  return byName(path, byFile, target);
}

interface Columns {
  readonly header: boolean;
  readonly file: number | undefined;
  readonly label: number;
}

function findColumns(rows: readonly string[][], target: LabelTarget): Columns {
  const first = (rows[0] ?? []).map((cell) => cell.trim().toLowerCase());
  const width = first.length;
  const file = first.findIndex((cell) => FILE_HEADERS.includes(cell));
  const label = LABEL_HEADERS.map((name) =>
    first.findIndex((cell) => cell === name || (name === 'class_index' && cell.startsWith(name))),
  ).find((column) => column >= 0);
  const namesFiles = target.files !== undefined;
  // A class may be called "target": a row that names a file is no header.
  const namesOne = (rows[0] ?? []).some((cell) =>
    target.files?.some((name) => baseName(name) === baseName(cell.trim())),
  );
  if ((file >= 0 || label !== undefined) && !namesOne) {
    const other = file === 0 && width > 1 ? 1 : 0;
    return { header: true, file: namesFiles && file >= 0 ? file : undefined, label: label ?? other };
  }
  return { header: false, file: namesFiles && width > 1 ? 0 : undefined, label: width > 1 ? 1 : 0 };
}

/** By the path below the folder, else by the file's own name where that is the only one of its name. */
function byName(
  path: string,
  byFile: ReadonlyMap<string, string | undefined>,
  target: LabelTarget,
): Int32Array {
  const files = target.files ?? [];
  const seen = new Map<string, number>();
  for (const file of files) seen.set(baseName(file), (seen.get(baseName(file)) ?? 0) + 1);
  const missing = files.filter((file) => keyOf(file) === undefined);
  if (missing.length > 0) {
    throw labelsInvalid(
      path,
      `no label for ${missing.length} of ${files.length} files, such as ${missing[0]}`,
    );
  }
  return Int32Array.from(files, (file) => {
    const label = byFile.get(keyOf(file) ?? file);
    return classIndex(path, `the label of ${file}`, label, target);
  });

  function keyOf(file: string): string | undefined {
    if (byFile.has(file)) return file;
    const base = baseName(file);
    return byFile.has(base) && seen.get(base) === 1 ? base : undefined;
  }
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}
