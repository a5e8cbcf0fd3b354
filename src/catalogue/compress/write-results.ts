import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';

/** Name of the file that says what is in a job's output folder and how it was made. */
const MANIFEST = 'manifest.json';

/** Where a variant of this id belongs: refused ones apart, so that nobody serves them by mistake. */
export function variantPath(out: string, id: string, status: 'accepted' | 'refused'): string {
  return status === 'accepted' ? join(out, `${id}.onnx`) : join(out, 'refused', `${id}.onnx`);
}

/** Puts a finished file where its variant belongs, as a whole or not at all. Throws FILE_UNWRITABLE. */
export async function placeVariant(source: string, target: string): Promise<void> {
  try {
    await mkdir(dirname(target), { recursive: true });
  } catch (thrown) {
    throw SelvageError.of('FILE_UNWRITABLE', { path: dirname(target), reason: reasonOf(thrown) }, thrown);
  }
  await writeFileAtomic(target, [await readFile(source)]);
}

/** What the manifest must name. */
interface Listed {
  readonly [field: string]: unknown;
  readonly variants: ReadonlyArray<{ readonly file: string | null }>;
}

/**
 * Writes the manifest, with the paths of files relative to the folder, and removes the variants of an earlier manifest
 * that it does not name.
 */
export async function writeManifest(out: string, manifest: Listed): Promise<void> {
  const path = join(out, MANIFEST);
  const before = await filesOf(path);
  const variants = manifest.variants.map((variant) => ({
    ...variant,
    file: variant.file === null ? null : relative(out, variant.file),
  }));
  await writeFileAtomic(path, [Buffer.from(`${JSON.stringify({ ...manifest, variants }, null, 2)}\n`)]);
  const named = new Set(variants.map(({ file }) => file));
  for (const file of before) if (!named.has(file)) await rm(join(out, file), { force: true });
}

/** The variants that an earlier manifest names: only names that this program gives. */
async function filesOf(path: string): Promise<string[]> {
  try {
    const { variants } = JSON.parse(await readFile(path, 'utf8')) as Partial<Listed>;
    return (variants ?? []).flatMap(({ file }) =>
      typeof file === 'string' && /^(refused\/)?[a-z0-9-]+\.onnx$/.test(file) ? [file] : [],
    );
  } catch {
    return [];
  }
}
