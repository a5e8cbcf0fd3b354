import { rmSync, statSync } from 'node:fs';
import { open, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

const RESERVE_BYTES = 1024 * 1024;
/** Free space that must be left beside the reserve before it is taken, so that taking it cannot fill the disk. */
const HEADROOM_BYTES = 4 * RESERVE_BYTES;

/**
 * A file of 1 MiB in the state directory that exists to be deleted: on a full disk even a DELETE needs room for
 * the write-ahead log, and this is where it comes from.
 */
export class Reserve {
  readonly #path: string;

  constructor(stateDir: string) {
    this.#path = join(stateDir, '.reserve');
  }

  /** Gives the space free; false where there was none to give. */
  release(): boolean {
    try {
      if (statSync(this.#path).size === 0) return false;
      rmSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }

  /** Sets the space aside again where it is missing and the disk has room for it; returns whether it is there. */
  async ensure(): Promise<boolean> {
    if (statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return true;
    const temporary = `${this.#path}.tmp`;
    try {
      const { bavail, bsize } = await statfs(join(this.#path, '..'));
      if (bavail * bsize < RESERVE_BYTES + HEADROOM_BYTES) return false;
      const handle = await open(temporary, 'w', 0o600);
      try {
        // Random bytes, because a file system that compresses would keep next to nothing for zeros.
        const { randomBytes } = await import('node:crypto');
        await handle.writeFile(randomBytes(RESERVE_BYTES));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, this.#path);
      return true;
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
      return false;
    }
  }
}
