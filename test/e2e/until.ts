import { setTimeout as sleep } from 'node:timers/promises';

/** Generous, for a machine that has other things to do; a test that passes does not wait for it. */
const LIMIT_MS = 30_000;
const PAUSE_MS = 20;

/** Looks again and again until what it sees `holds`, and returns that; rejects with `what` and the last look. */
export async function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  holds: (value: Value) => boolean,
): Promise<Value> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > deadline) {
      throw new Error(`not within ${LIMIT_MS} ms: ${what}; last seen: ${JSON.stringify(value)}`);
    }
    await sleep(PAUSE_MS);
  }
}
