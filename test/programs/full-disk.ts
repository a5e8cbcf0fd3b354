/**
 * Works with a state directory on a small file system that is filled meanwhile, and prints what happened as JSON.
 * The test that runs it says what is expected.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { importModelFile } from '../../src/catalogue/model-files.ts';
import { toSelvageError } from '../../src/lib/errors.ts';
import { RequestLog } from '../../src/store/request-log.ts';
import { RequestLogReader } from '../../src/store/request-log-reader.ts';
import type { RequestRow } from '../../src/store/request-row.ts';
import { StateStore } from '../../src/store/state-store.ts';

const [mounted = '', outside = ''] = process.argv.slice(2);
const stateDir = join(mounted, 'state');
const faults: string[] = [];
const report: Record<string, unknown> = { faults };

const store = StateStore.open({ stateDir, onSetAside: () => undefined });
report['reserveBefore'] = await store.reserve?.ensure();
const log = new RequestLog({
  stateDir,
  limits: { maxAgeDays: 1, maxSizeMiB: 64 },
  reserve: store.reserve,
  onFault: ({ error }) => faults.push(error.code),
  onSetAside: () => undefined,
});
appendRows(4000, Date.now() - 2 * 86_400_000);
await until(() => log.statistics().waiting === 0);

fill();
report['writesOnReserve'] = putReports(1);
report['reserveTaken'] = !existsSync(join(stateDir, '.reserve'));

// Room for the reserve again, then full with it in place: deleting must still work.
rmSync(join(mounted, 'ballast'));
await store.reserve?.ensure();
fill();
report['retention'] = await log.applyRetention().catch((thrown: unknown) => toSelvageError(thrown).toJSON());

fill();
while (store.reserve?.release()) fill();
report['stateFull'] = putReports(100);
const stateRows = store.probes.latest()?.at;
appendRows(9000, Date.now());
await until(() => log.statistics().faults > 0);
report['logWaits'] = log.statistics().waiting > 0;
const source = join(outside, 'model.onnx');
await writeFile(source, Buffer.alloc(2 * 1024 * 1024, 7));
report['import'] = await importModelFile({ model: 'm', source, stateDir }).catch((thrown: unknown) =>
  toSelvageError(thrown).toJSON(),
);

rmSync(join(mounted, 'ballast'));
await until(() => log.statistics().waiting === 0);
report['statistics'] = log.statistics();
report['stateAfter'] = putReports(1) === null && stateRows !== undefined;
report['reserveAfter'] = await store.reserve?.ensure();
await log.close();
store.close();
const reader = new RequestLogReader(stateDir);
report['rows'] = reader.query({ limit: 100_000 }).length;
reader.close();
StateStore.open({ stateDir, onSetAside: ({ reason }) => faults.push(reason) }).close();
process.stdout.write(JSON.stringify(report));

function fill(): void {
  const blocks = [1024 * 1024, 4096];
  let ballast = Buffer.alloc(0);
  for (const size of blocks) {
    try {
      for (;;) {
        writeFileSync(join(mounted, 'ballast'), Buffer.alloc(size, 1), { flag: 'a' });
      }
    } catch {
      ballast = Buffer.alloc(size);
    }
  }
  if (ballast.length === 0) throw new Error('the file system does not fill');
}

/** Puts reports of 100 kB each; returns the first error. */
function putReports(count: number): unknown {
  try {
    for (let number = 0; number < count; number += 1) {
      const report = 'x'.repeat(100_000);
      store.probes.record({ fingerprint: `f${number}`, report, at: number });
    }
    return null;
  } catch (thrown) {
    return toSelvageError(thrown).toJSON();
  }
}

function appendRows(count: number, at: number): void {
  for (let number = 0; number < count; number += 1) log.append(row(number, at));
}

function row(number: number, at: number): RequestRow {
  const model = { model: 'm', variant: 'm', source: 'edge', error: null };
  return { at, requestId: `request-${number}`, ...model, status: 200, latencyUs: 1, queueUs: 0, batch: 1 };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 1000) throw new Error(`waited too long: ${JSON.stringify(log.statistics())}`);
    await sleep(10);
  }
}
