import type { AgentProcess } from './agent-process.ts';
import { LeanClient, requestBytes } from './lean-client.ts';

const BUCKET = /^selvage_event_loop_delay_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm;

/** The agent's own histogram of its event-loop delay (`/metrics`). */
export class LoopDelays {
  /** Samples at most this late, by upper bound in seconds, in ascending order. */
  readonly #buckets: ReadonlyMap<number, number>;

  constructor(buckets: ReadonlyMap<number, number>) {
    this.#buckets = buckets;
  }

  /** What was added since `before`. */
  since(before: LoopDelays): LoopDelays {
    return new LoopDelays(
      new Map([...this.#buckets].map(([bound, count]) => [bound, count - (before.#buckets.get(bound) ?? 0)])),
    );
  }

  get samples(): number {
    return Math.max(0, ...this.#buckets.values());
  }

  /** Upper bound of the bucket in which the p99 lies, in milliseconds. */
  get p99UpperMs(): number {
    const wanted = this.samples * 0.99;
    for (const [bound, count] of this.#buckets) if (count >= wanted) return bound * 1000;
    return Number.NaN;
  }
}

/** Reads the histogram. */
export async function loopDelays(agent: AgentProcess): Promise<LoopDelays> {
  const client = await LeanClient.connect(agent.setup.socketPath);
  const { body } = await client.send(requestBytes('GET', '/metrics'));
  client.close();
  const buckets = [...body.toString().matchAll(BUCKET)].map(
    ([, bound, count]) =>
      [bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), Number(count)] as const,
  );
  if (buckets.length === 0) throw new Error('/metrics has no selvage_event_loop_delay_seconds');
  return new LoopDelays(new Map(buckets));
}
