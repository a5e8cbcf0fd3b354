/** A process of clients in a closed loop: each sends its next request as soon as it has its answer. */
import { readFileSync } from 'node:fs';
import { quantile } from '../quantiles.ts';
import { LeanClient } from './lean-client.ts';
import { serveHelper } from './serve-helper.ts';

/** One round of load. */
export interface LoadQuestion {
  readonly socketPath: string;
  readonly requestPath: string;
  readonly connections: number;
  readonly durationMs: number;
}

/** What the round gave. */
export interface LoadAnswer {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

serveHelper<LoadQuestion, LoadAnswer>(async ({ socketPath, requestPath, connections, durationMs }) => {
  const request = readFileSync(requestPath);
  const clients = await Promise.all(
    Array.from({ length: connections }, () => LeanClient.connect(socketPath)),
  );
  const latenciesMs: number[] = [];
  const started = performance.now();
  const end = started + durationMs;
  const loop = async (client: LeanClient): Promise<void> => {
    while (performance.now() < end) {
      const { status, body, elapsedMs } = await client.send(request);
      if (status !== 200) throw new Error(`status ${status}: ${body.toString()}`);
      latenciesMs.push(elapsedMs);
    }
  };
  try {
    await Promise.all(clients.map(loop));
    return {
      requests: latenciesMs.length,
      perSecond: (latenciesMs.length * 1000) / (performance.now() - started),
      p50Us: quantile(latenciesMs, 0.5) * 1000,
      p99Us: quantile(latenciesMs, 0.99) * 1000,
    };
  } finally {
    for (const client of clients) client.close();
  }
});
