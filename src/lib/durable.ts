import { open } from 'node:fs/promises';

/** Makes the names in a directory (files created, renamed, removed) survive a power cut. */
export async function fsyncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
