/**
 * Runs the compression that a file describes as JSON and prints what became of it: `{code, left}`, the code of the
 * error or `none` and the names of the files in the output folder. With `fill` the disk is filled once the job is at
 * work.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CompressRequest } from '../../src/catalogue/compress/job-messages.ts';
import { runCompress } from '../../src/catalogue/compress/run-compress.ts';
import { toSelvageError } from '../../src/lib/errors.ts';

const request = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as CompressRequest;
let isFull = process.argv[3] !== 'fill';

const code = await runCompress(request, {
  onProgress: ({ message }) => {
    if (isFull || message !== 'looking at the data') return;
    isFull = true;
    fillDisk(join(dirname(request.out), 'filler'));
  },
}).then(
  () => 'none',
  (error: unknown) => toSelvageError(error).code,
);
const left = existsSync(request.out) ? readdirSync(request.out, { recursive: true, encoding: 'utf8' }) : [];
process.stdout.write(JSON.stringify({ code, left }));

function fillDisk(path: string): void {
  const block = Buffer.alloc(64 * 1024, 1);
  try {
    for (;;) writeFileSync(path, block, { flag: 'a' });
  } catch {
    // Full, as it was meant to be.
  }
}
