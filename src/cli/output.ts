import { errnoOf } from '../lib/errors.ts';

/** A column of a table for people: its title and how a row shows in it. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | undefined;
  readonly align?: 'left' | 'right';
}

let guarded = false;

/** Writes text to standard output. A reader that has seen enough, such as `head`, is no error. */
export function print(text: string): void {
  if (!guarded) {
    process.stdout.on('error', (error) => {
      if (errnoOf(error) !== 'EPIPE') throw error;
    });
    guarded = true;
  }
  process.stdout.write(text);
}

/** Writes one JSON document and a newline to standard output. */
export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}

/** Writes lines to standard output. */
export function printLines(...lines: string[]): void {
  print(lines.map((line) => `${line}\n`).join(''));
}

/** Formats rows as a table with aligned columns, without trailing spaces; one string, no final newline. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => String(column.value(row) ?? '-'))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => {
          const width = widths[index] ?? 0;
          return columns[index]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
