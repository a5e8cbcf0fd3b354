/** What looking for something gave: it, nothing (the machine does not have it), or a failure to look. */
export type Outcome<Data> =
  | { readonly status: 'ok'; readonly data: Data }
  | { readonly status: 'none' }
  | { readonly status: 'failed'; readonly reason: string };

/** The machine has it, and this is it. */
export function found<Data>(data: Data): Outcome<Data> {
  return { status: 'ok', data };
}

/** The machine does not have it: an expected answer, not a fault. */
export const none: Outcome<never> = { status: 'none' };

/** Looking failed; `reason` says why in one line. */
export function failed(reason: string): Outcome<never> {
  return { status: 'failed', reason };
}

/** The data of an outcome, or undefined when there is none or looking failed. */
export function dataOf<Data>(outcome: Outcome<Data>): Data | undefined {
  return outcome.status === 'ok' ? outcome.data : undefined;
}
