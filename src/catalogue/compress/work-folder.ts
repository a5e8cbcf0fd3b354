import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TEMPORARY_PREFIX, writeFileAtomic } from '../../lib/atomic-file.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';

/** Folder for unfinished work inside a job's output folder. */
export const WORK_FOLDER = '.work';

/** Raised whenever what a step stores changes its meaning, so that no older work is taken up. */
const FORMAT = 1;

/**
 * Where a job keeps the steps that it has finished, so that one that was killed goes on from there. Each step's
 * result lies under a key made of all that it depends on, and is written as a whole or not at all.
 */
export class WorkFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Opens `.work` in a job's output folder, making both; removes what a killed job left half. Throws FILE_UNWRITABLE. */
  static async open(out: string): Promise<WorkFolder> {
    const path = join(out, WORK_FOLDER);
    try {
      await mkdir(path, { recursive: true });
      await removeTemporary(out);
      await removeTemporary(path);
    } catch (thrown) {
      throw SelvageError.of('FILE_UNWRITABLE', { path, reason: reasonOf(thrown) }, thrown);
    }
    return new WorkFolder(path);
  }

  /** The result of a step: as it was stored before, else `make`'s. What it gives must survive JSON. */
  async value<Value>(name: string, key: unknown, make: () => Promise<Value>): Promise<Value> {
    const path = this.#pathOf(name, key, 'json');
    const stored = await readFile(path, 'utf8').catch(() => undefined);
    if (stored !== undefined) return JSON.parse(stored) as Value;
    const value = await make();
    await writeFileAtomic(path, [Buffer.from(JSON.stringify(value))]);
    return value;
  }

  /** The path of a step's file: as it was stored before, else with the bytes that `make` gives. */
  async file(name: string, key: unknown, make: () => Promise<Uint8Array>): Promise<string> {
    const path = this.#pathOf(name, key, 'onnx');
    const exists = await stat(path).then(
      () => true,
      () => false,
    );
    if (!exists) await writeFileAtomic(path, [await make()]);
    return path;
  }

  /** A path for a file that is needed for a moment; whoever writes it removes it, or the next job does. */
  temporary(name: string): string {
    return join(this.path, `${TEMPORARY_PREFIX}${process.pid}-${name}.tmp`);
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  /** Removes the folders where nothing has come to lie in them. */
  async leave(): Promise<void> {
    for (const folder of [this.path, dirname(this.path)]) await rmdir(folder).catch(() => undefined);
  }

  #pathOf(name: string, key: unknown, extension: string): string {
    const hash = createHash('sha256')
      .update(JSON.stringify([FORMAT, name, key]))
      .digest('hex');
    return join(this.path, `${name}-${hash.slice(0, 24)}.${extension}`);
  }
}

/** Removes the temporary files that a killed job left in a folder. */
export async function removeTemporary(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(TEMPORARY_PREFIX) && name.endsWith('.tmp'))
      await rm(join(folder, name), { force: true });
  }
}
