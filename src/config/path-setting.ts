import * as z from 'zod';

/** The text of a path. */
export const pathText = z.string().min(1).max(4096);

/** The path of a file or directory; a relative one is relative to the directory of the file that says it. */
export const path = pathText.meta({ 'x-kind': 'path' });
