import { chunksOf, type FileRange } from './data-file.ts';
import { DATA_LIMITS, dataInvalid } from './dataset.ts';

const NEWLINE = 0x0a;

/** Where a line lies in a file. */
export interface Line {
  /** Counted from 1, blank lines too. */
  readonly number: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * The lines of a file that are not blank, in bounded memory; `bytes` is valid until the next line is asked for. Throws
 * DATA_INVALID for a line over the limit.
 */
export async function* linesOf(
  path: string,
  file: FileRange,
): AsyncGenerator<{ readonly line: Line; readonly bytes: Buffer }> {
  let number = 1;
  let offset = 0;
  let pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunksOf(path, file)) {
    for (let at = 0; at < chunk.length; ) {
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline < 0 ? chunk.length : newline;
      sizeBytes += end - at;
      if (sizeBytes > DATA_LIMITS.lineBytes) {
        throw dataInvalid(path, `line ${number} is over the limit of ${DATA_LIMITS.lineBytes} bytes`);
      }
      // Copied: the chunk is filled anew for the next piece.
      pieces.push(Buffer.from(chunk.subarray(at, end)));
      at = end + 1;
      if (newline < 0) continue;
      yield* whole({ number, offset, sizeBytes }, pieces);
      offset += sizeBytes + 1;
      number += 1;
      pieces = [];
      sizeBytes = 0;
    }
  }
  yield* whole({ number, offset, sizeBytes }, pieces);
}

function* whole(line: Line, pieces: readonly Buffer[]): Generator<{ line: Line; bytes: Buffer }> {
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  if (bytes.some((byte) => byte > 0x20)) yield { line, bytes };
}
