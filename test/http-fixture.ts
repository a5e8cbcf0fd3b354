import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createLog } from '../src/lib/log.ts';
import { type HttpLimits, HttpServer } from '../src/server/http.ts';
import { inferenceRoutes } from '../src/server/inference-routes.ts';
import type { Route } from '../src/server/routes.ts';
import type { SharedMemoryRegions } from '../src/server/shared-memory-regions.ts';
import { EchoService, echoModel } from './echo-service.ts';

const MIB = 1024 * 1024;

/** The defaults of `server.http.limits`. */
export const LIMITS: HttpLimits = {
  jsonBodyBytes: 8 * MIB,
  binaryBodyBytes: 64 * MIB,
  mediaBodyBytes: 32 * MIB,
  inFlightBytes: 256 * MIB,
  headerTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  idleTimeoutMs: 75_000,
  maxConnections: 512,
};

/** The models of an `echoServer`. */
export const MODELS = [
  echoModel('tiny', [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }]),
  echoModel('bytes', [{ name: 'b', datatype: 'UINT8', shape: [-1] }], { labels: ['zero', 'one', 'two'] }),
  echoModel('words', [{ name: 'w', datatype: 'BYTES', shape: [-1] }]),
  echoModel('picture', [{ name: 'p', datatype: 'UINT8', shape: [-1] }], { task: 'image-classification' }),
];

/** A temporary directory that goes with the test. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selvage-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A log that keeps its lines. */
export function keepingLog() {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line), flush: async () => {}, dropped: 0 };
  return { lines, log: createLog({ level: 'trace', repeatWindowMs: 0, destination }) };
}

/** The inference server on a Unix socket, over an `EchoService`. */
export async function echoServer(
  t: TestContext,
  {
    limits = {},
    models = MODELS,
    routes = [] as readonly Route[],
    regions = undefined as SharedMemoryRegions | undefined,
  } = {},
) {
  const path = join(temporaryDirectory(t), 'selvage.sock');
  const service = new EchoService(models);
  const allLimits = { ...LIMITS, ...limits };
  const { lines, log } = keepingLog();
  const metrics = () => 'selvage_build_info 1\n';
  const server = new HttpServer({
    routes: [
      ...routes,
      ...inferenceRoutes({ service, version: '0.1.0', limits: allLimits, metrics, regions }),
    ],
    limits: allLimits,
    log,
  });
  await server.listenUnix({ path, mode: 0o660 });
  t.after(() => server.close(0));
  return { path, server, service, lines };
}

/** Resolves when `condition` holds; rejects after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still not: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
