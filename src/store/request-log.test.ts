import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import BetterSqlite3 from 'better-sqlite3';
import { ManualClock } from '../../test/manual-clock.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { RequestDatabase } from './request-database.ts';
import { RequestLog, type RequestLogFault } from './request-log.ts';
import { RequestLogReader } from './request-log-reader.ts';
import type { RequestRow } from './request-row.ts';
import type { SetAside } from './set-aside.ts';

const NOW = Date.UTC(2030, 5, 15);
const DAY_MS = 86_400_000;

interface Setup {
  readonly stateDir: string;
  readonly log: RequestLog;
  readonly clock: ManualClock;
  readonly faults: RequestLogFault[];
  readonly setAside: SetAside[];
}

function setup(t: TestContext, stateDir = temporaryDirectory(t), maxSizeMiB = 64): Setup {
  const clock = new ManualClock(NOW);
  const faults: RequestLogFault[] = [];
  const setAside: SetAside[] = [];
  const log = new RequestLog({
    stateDir,
    limits: { maxAgeDays: 7, maxSizeMiB },
    onFault: (fault) => faults.push(fault),
    onSetAside: (event) => setAside.push(event),
    clock,
  });
  t.after(() => log.close());
  return { stateDir, log, clock, faults, setAside };
}

function row(changes: Partial<RequestRow> = {}): RequestRow {
  const answer = {
    variant: 'clothes-int8',
    source: 'edge',
    status: 200,
    latencyUs: 900,
    queueUs: 40,
    batch: 2,
  };
  return { at: NOW, requestId: 'r', model: 'clothes', ...answer, error: null, ...changes };
}

function stored(stateDir: string): RequestRow[] {
  const reader = new RequestLogReader(stateDir);
  try {
    return reader.query({ limit: 100_000 });
  } finally {
    reader.close();
  }
}

/** Appends rows and flushes until all are in the file; big texts make a large file of few rows. */
async function write(log: RequestLog, clock: ManualClock, rows: readonly RequestRow[]): Promise<void> {
  for (const one of rows) log.append(one);
  while (log.statistics().waiting > 0) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function many(count: number, changes: (number: number) => Partial<RequestRow>): RequestRow[] {
  const requestId = 'x'.repeat(128);
  return Array.from({ length: count }, (_, number) =>
    row({ requestId, model: requestId, ...changes(number) }),
  );
}

describe('RequestLog', () => {
  it('writes what was appended within 100 ms and gives it back, newest first', (t) => {
    const { stateDir, log, clock } = setup(t);
    const failed = row({
      at: NOW + 5,
      model: 'faces',
      variant: null,
      source: null,
      status: 504,
      batch: null,
    });
    const rows = [row(), { ...failed, error: 'DEADLINE_EXCEEDED' }];
    for (const one of rows) log.append(one);
    assert.deepEqual(stored(stateDir), []);
    clock.advance(100);
    assert.deepEqual(stored(stateDir), rows.toReversed());

    const reader = new RequestLogReader(stateDir);
    t.after(() => reader.close());
    assert.deepEqual(reader.query({ model: 'clothes', limit: 9 }), [rows[0]]);
    assert.deepEqual(reader.query({ since: NOW + 1, limit: 9 }), [rows[1]]);
    assert.equal(reader.query({ limit: 1 }).length, 1);
    assert.deepEqual(reader.query({ model: "'; DROP TABLE requests", limit: 9 }), []);
  });

  it('writes what waits when it is closed, and takes nothing afterwards', async (t) => {
    const { stateDir, log } = setup(t);
    log.append(row());
    await log.close();
    log.append(row());
    assert.equal(stored(stateDir).length, 1);
    assert.equal(log.statistics().dropped, 1);
  });

  it('drops the newest rows and counts them when 10,000 wait', async (t) => {
    const { stateDir, log } = setup(t);
    for (let number = 0; number < 10_005; number += 1) log.append(row({ requestId: `${number}` }));
    assert.deepEqual(log.statistics(), { waiting: 10_000, written: 0, dropped: 5, faults: 0 });
    await log.close();
    const rows = stored(stateDir);
    assert.equal(rows.length, 10_000);
    assert.ok(rows.some(({ requestId }) => requestId === '0'));
    assert.ok(!rows.some(({ requestId }) => requestId === '10000'));
  });

  it('stores numbers that are none and texts that are too long, rather than stumble over them', (t) => {
    const { stateDir, log, clock, faults } = setup(t);
    log.append(
      row({ latencyUs: Number.NaN, queueUs: 1.5, requestId: 'x'.repeat(1e6), batch: Number.MAX_VALUE }),
    );
    clock.advance(100);
    const [found] = stored(stateDir);
    assert.deepEqual([found?.latencyUs, found?.queueUs, found?.requestId.length], [0, 2, 128]);
    assert.deepEqual(faults, []);
  });

  it('deletes rows by age, a few at a time', async (t) => {
    const { stateDir, log, clock } = setup(t);
    await write(
      log,
      clock,
      many(3000, (number) => ({ at: NOW - (number % 3) * 6 * DAY_MS })),
    );
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    const { deletedRows } = await log.applyRetention();
    clearInterval(count);
    assert.equal(deletedRows, 1000);
    assert.ok(stored(stateDir).every(({ at }) => at >= NOW - 7 * DAY_MS));
    assert.ok(turns > 0, 'other work goes on meanwhile');
  });

  it('deletes the oldest rows by size and shrinks the file', async (t) => {
    const { stateDir, log, clock } = setup(t);
    await write(
      log,
      clock,
      many(10_000, (number) => ({ at: NOW + number })),
    );
    log.setLimits({ maxAgeDays: 7, maxSizeMiB: 1 });
    const { deletedRows, sizeBytes } = await log.applyRetention();
    assert.ok(deletedRows > 5000);
    assert.ok(sizeBytes <= 1024 * 1024);
    assert.equal(statSync(join(stateDir, 'requests.db')).size, sizeBytes);
    const rows = stored(stateDir);
    assert.equal(rows.length, 10_000 - deletedRows);
    assert.equal(rows[0]?.at, NOW + 9999, 'the newest stay');
  });

  it('keeps to its size by itself where rows come faster than retention', async (t) => {
    const { stateDir, log, clock } = setup(t, undefined, 1);
    await write(
      log,
      clock,
      many(10_000, () => ({})),
    );
    // With the checkpoint that is due by now comes the look at the size.
    clock.advance(6 * 60_000);
    await write(log, clock, [row()]);
    const path = join(stateDir, 'requests.db');
    for (let tries = 0; statSync(path).size > 1.1 * 1024 * 1024; tries += 1) {
      assert.ok(tries < 500, `the file stays at ${statSync(path).size} bytes`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(stored(stateDir)[0]?.requestId, 'r', 'the newest row stays');
  });

  it('lets rows from the future age from now on, and does not delete by a clock that is behind', async (t) => {
    const { stateDir, log, clock } = setup(t);
    await write(log, clock, [row({ at: NOW + 3650 * DAY_MS }), row({ at: NOW })]);
    clock.jumpTo(0);
    assert.equal((await log.applyRetention()).deletedRows, 0);
    assert.deepEqual(
      stored(stateDir).map(({ at }) => at),
      [0, 0],
    );
    clock.jumpTo(8 * DAY_MS);
    assert.equal((await log.applyRetention()).deletedRows, 2);
  });

  it('reports faults once a minute, waits, and goes on when it can', (t) => {
    const stateDir = join(temporaryDirectory(t), 'missing');
    const { log, clock, faults } = setup(t, stateDir);
    assert.equal(faults.length, 1);
    assert.match(faults[0]?.error.message ?? '', /requests\.db: .*directory does not exist/);
    log.append(row());
    clock.advance(59_000);
    assert.equal(faults.length, 1);
    clock.advance(41_000);
    assert.equal(faults.length, 2);
    assert.ok((faults[1]?.count ?? 0) > 1);
    mkdirSync(stateDir);
    clock.advance(31_000);
    assert.deepEqual(stored(stateDir), [row()]);
    assert.equal(faults.length, 2);
  });

  it('begins anew where the file turns out damaged while it is used', async (t) => {
    const { stateDir, log, clock, setAside } = setup(t);
    await write(
      log,
      clock,
      many(10_000, (number) => ({ at: NOW - number * 3_600_000 })),
    );
    await log.applyRetention();
    const path = join(stateDir, 'requests.db');
    // Every page but the first: what SQLite holds in memory is much less than the file.
    writeSync(openSync(path, 'r+'), Buffer.alloc(statSync(path).size - 4096, 0x5a), 0, undefined, 4096);
    log.setLimits({ maxAgeDays: 0.01, maxSizeMiB: 1 });
    await assert.rejects(log.applyRetention(), { code: 'STATE_UNAVAILABLE', message: /damaged/ });
    assert.equal(setAside.length, 1);
    assert.ok(existsSync(setAside[0]?.movedTo ?? ''));
    await write(log, clock, [row()]);
    assert.deepEqual(stored(stateDir), [row()]);
  });

  it('does not take part in a log of a newer version', (t) => {
    const stateDir = temporaryDirectory(t);
    const newer = new BetterSqlite3(join(stateDir, 'requests.db'));
    newer.pragma('user_version = 99');
    newer.close();
    const { log, clock, faults } = setup(t, stateDir);
    log.append(row());
    clock.advance(1000);
    assert.match(faults[0]?.error.message ?? '', /newer Selvage/);
    assert.equal(readdirSync(stateDir).filter((name) => name.includes('corrupt')).length, 0);
  });

  it('goes on where the state directory is removed under it', async (t) => {
    const { stateDir, log, clock } = setup(t);
    rmSync(stateDir, { recursive: true });
    log.append(row());
    clock.advance(60_000);
    await log.applyRetention().catch(() => undefined);
    await log.close();
  });
});

describe('RequestDatabase', () => {
  function openFile(t: TestContext): { path: string; database: RequestDatabase } {
    const path = join(temporaryDirectory(t), 'requests.db');
    const onSetAside = (event: SetAside): void => assert.fail(event.reason);
    const database = new RequestDatabase({ path, reserve: undefined, onSetAside });
    t.after(() => database.close());
    return { path, database };
  }

  it('moves the write-ahead log into the file', async (t) => {
    const { path, database } = openFile(t);
    database.insert(
      many(2000, () => ({})),
      60_000,
    );
    assert.ok(database.walBytes() > 0);
    await database.checkpoint();
    assert.equal(database.walBytes(), 0);
    const copy = `${path}.copy`;
    writeFileSync(copy, '');
    new BetterSqlite3(path, { readonly: true }).exec(`VACUUM INTO '${copy}'`).close();
    const opened = new BetterSqlite3(copy);
    assert.deepEqual(opened.prepare('SELECT count(*) AS rows FROM requests').get(), { rows: 2000 });
    opened.close();
  });

  it('loses nothing while a reader keeps the log from being emptied', async (t) => {
    const { path, database } = openFile(t);
    database.insert(
      many(500, () => ({})),
      60_000,
    );
    const reader = new BetterSqlite3(path, { readonly: true });
    reader.exec('BEGIN');
    const count = reader.prepare<[], { rows: number }>('SELECT count(*) AS rows FROM requests');
    assert.equal(count.get()?.rows, 500);
    for (let round = 0; round < 3; round += 1) {
      database.insert(
        many(500, () => ({})),
        60_000,
      );
      await database.checkpoint();
    }
    assert.equal(count.get()?.rows, 500, 'the reader sees what it began with');
    reader.exec('COMMIT');
    assert.equal(count.get()?.rows, 2000);
    await database.checkpoint();
    assert.equal(database.walBytes(), 0);
    reader.close();
  });

  it('stops inserting when its time is up', (t) => {
    const { database } = openFile(t);
    const count = database.insert(
      many(5000, () => ({})),
      0,
    );
    assert.ok(count >= 16 && count < 5000);
  });
});
