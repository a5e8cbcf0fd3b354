/** One answered request, without its inputs and outputs. */
export interface RequestRow {
  /** When it was answered, in milliseconds since the epoch. */
  readonly at: number;
  readonly requestId: string;
  readonly model: string;
  readonly variant: string | null;
  /** Where the answer was made, such as `edge`; null where none was made. */
  readonly source: string | null;
  /** HTTP status, also for other protocols. */
  readonly status: number;
  readonly latencyUs: number;
  readonly queueUs: number;
  /** Requests that shared the run; null where nothing ran. */
  readonly batch: number | null;
  /** Code of the error table, or null. */
  readonly error: string | null;
}

const MAX_TEXT = 128;

/** The row as the table takes it: whole numbers (0 for what is none), and names cut to 128 characters. */
export function storableRow(row: RequestRow): RequestRow {
  return {
    at: whole(row.at),
    requestId: row.requestId.slice(0, MAX_TEXT),
    model: row.model.slice(0, MAX_TEXT),
    variant: row.variant?.slice(0, MAX_TEXT) ?? null,
    source: row.source,
    status: whole(row.status),
    latencyUs: whole(row.latencyUs),
    queueUs: whole(row.queueUs),
    batch: row.batch === null ? null : whole(row.batch),
    error: row.error,
  };
}

function whole(value: number): number {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : 0;
}
