import { SelvageError } from '../../lib/errors.ts';
import { arrayDataset, type InputArray, sampleCount } from './array-dataset.ts';
import { labelsInvalid } from './class-index.ts';
import { openDataFile } from './data-file.ts';
import { DATA_LIMITS, type Dataset, dataInvalid, dataMismatch, namesOf } from './dataset.ts';
import { labelsOfArray, readLabelsFile } from './labels-file.ts';
import { type NpyArray, openNpyArray } from './npy-array.ts';
import type { OpenOptions } from './open-options.ts';
import { unpackZipEntry } from './unpack-zip-entry.ts';
import { readZipDirectory, type ZipEntry } from './zip-directory.ts';

/** Arrays of these names are the labels, where the model has no input of the name. */
const LABEL_ARRAYS = ['labels', 'label', 'y', 'targets', 'target'];

/** Which entry of the archive is what. */
interface Chosen {
  readonly inputs: ReadonlyArray<{ readonly name: string; readonly entry: ZipEntry }>;
  readonly labels: ZipEntry | undefined;
  readonly ignored: readonly string[];
}

/**
 * A `.npz` archive (numpy.savez, numpy.savez_compressed): one array for each input, under its name, and optionally the
 * labels as `labels` or `y`. Where the model has one input and the archive one array besides labels, their names may
 * differ. Throws DATA_INVALID, DATA_MISMATCH, LABELS_INVALID, FILE_UNREADABLE or FILE_UNWRITABLE.
 */
export async function openNpz(path: string, options: OpenOptions): Promise<Dataset> {
  const file = await openDataFile(path);
  const opened: Array<() => Promise<void>> = [() => file.handle.close()];
  const close = async () => {
    for (const one of opened.splice(0)) await one();
  };
  try {
    const chosen = choose(path, await readZipDirectory(path, file), options);
    checkUnpackedSize(path, chosen);
    const open = async (entry: ZipEntry): Promise<NpyArray> => {
      const unpacked = await unpackZipEntry(path, file, entry, options.scratchDir);
      opened.push(unpacked.close);
      return openNpyArray(`${path} (${entry.name})`, unpacked.range);
    };
    const arrays: InputArray[] = [];
    for (const { name, entry } of chosen.inputs) arrays.push({ name, array: await open(entry) });
    const size = sampleCount(path, arrays);
    const labels = await readLabels(path, chosen.labels, size, options, open);
    const warnings = chosen.ignored.map(
      (name) => `the array '${name}' is no input of the model and is not used`,
    );
    return arrayDataset({ path, file, arrays, labels, warnings, close }, options);
  } catch (error) {
    await close();
    throw error;
  }
}

function choose(path: string, entries: readonly ZipEntry[], { signature }: OpenOptions): Chosen {
  const arrays = new Map<string, ZipEntry>();
  for (const entry of entries) {
    if (!entry.name.endsWith('.npy')) continue;
    const name = entry.name.slice(0, -'.npy'.length);
    if (arrays.has(name)) throw dataInvalid(path, `holds the array '${name}' twice`);
    arrays.set(name, entry);
  }
  if (arrays.size === 0) throw dataInvalid(path, 'is a ZIP archive without NumPy arrays (.npy files)');
  const isInput = (name: string) => signature.inputs.some((input) => input.name === name);
  const labelName = LABEL_ARRAYS.find((name) => arrays.has(name) && !isInput(name));
  const others = [...arrays.keys()].filter((name) => name !== labelName && !isInput(name));
  const [only] = others;
  const renamed =
    signature.inputs.length === 1 && arrays.size === others.length + Number(labelName !== undefined);
  const inputs = signature.inputs.map(({ name }) => {
    const entry = arrays.get(name) ?? (renamed && others.length === 1 ? arrays.get(only ?? '') : undefined);
    if (entry !== undefined) return { name, entry };
    const found = [...arrays.keys()].map((array) => ({ name: array }));
    throw dataMismatch(path, `no array for input '${name}'; there are ${namesOf(found)}`);
  });
  const used = new Set(inputs.map(({ entry }) => entry));
  return {
    inputs,
    labels: labelName === undefined ? undefined : arrays.get(labelName),
    ignored: others.filter((name) => !used.has(arrays.get(name) as ZipEntry)),
  };
}

function checkUnpackedSize(path: string, { inputs, labels }: Chosen): void {
  const entries = [...inputs.map(({ entry }) => entry), ...(labels === undefined ? [] : [labels])];
  const total = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (total <= DATA_LIMITS.unpackedBytes) return;
  throw dataInvalid(
    path,
    `its arrays have ${total} bytes; at most ${DATA_LIMITS.unpackedBytes} are accepted`,
  );
}

async function readLabels(
  path: string,
  entry: ZipEntry | undefined,
  size: number,
  options: OpenOptions,
  open: (entry: ZipEntry) => Promise<NpyArray>,
): Promise<Int32Array | undefined> {
  if (options.labels !== undefined) return readLabelsFile(options.labels, { ...options, size });
  if (entry === undefined) return undefined;
  const where = `${path} (${entry.name})`;
  try {
    return await labelsOfArray(where, await open(entry), { ...options, size });
  } catch (error) {
    if (!(error instanceof SelvageError) || error.code !== 'DATA_INVALID') throw error;
    throw labelsInvalid(where, error.message, error);
  }
}
