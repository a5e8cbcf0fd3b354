import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import BetterSqlite3, { type Database } from 'better-sqlite3';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { openDatabase, openDatabaseReadOnly } from './database.ts';
import { requestMigrations } from './migrations/requests.ts';
import { stateMigrations } from './migrations/state.ts';
import { type Migration, migrate, schemaVersion } from './migrations.ts';
import type { SetAside } from './set-aside.ts';

const histories: ReadonlyArray<readonly [string, readonly Migration[]]> = [
  ['state.db', stateMigrations],
  ['requests.db', requestMigrations],
];

function open(path: string, migrations: readonly Migration[], events: SetAside[] = []): Database {
  return openDatabase({
    path,
    migrations,
    synchronous: 'FULL',
    busyTimeoutMs: 0,
    onSetAside: (event) => events.push(event),
  });
}

function schemaOf(database: Database): unknown[] {
  return database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
}

/** Puts one row into every table there is, whatever its columns, and returns all rows by table. */
function rowsOf(database: Database, insert: boolean): Record<string, unknown[]> {
  const tables = database
    .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .all();
  database.pragma('foreign_keys = OFF');
  return Object.fromEntries(
    tables.map(({ name }) => {
      const columns = database.pragma(`table_info(${name})`) as { name: string; type: string }[];
      const values = columns.map(({ type }) => (type === 'TEXT' ? `'old'` : '7')).join(', ');
      if (insert) database.exec(`INSERT INTO ${name} VALUES (${values})`);
      return [name, database.prepare(`SELECT * FROM ${name}`).all()];
    }),
  );
}

describe('openDatabase', () => {
  for (const [name, migrations] of histories) {
    for (let version = 0; version < migrations.length; version += 1) {
      it(`takes ${name} from version ${version} to ${migrations.length} and keeps its rows`, (t) => {
        const directory = temporaryDirectory(t);
        const old = new BetterSqlite3(join(directory, 'old.db'));
        migrate(old, migrations.slice(0, version));
        assert.equal(schemaVersion(old), version);
        const before = rowsOf(old, true);
        old.close();

        const migrated = open(join(directory, 'old.db'), migrations);
        const fresh = open(join(directory, 'fresh.db'), migrations);
        t.after(() => [migrated, fresh].map((database) => database.close()));
        assert.equal(schemaVersion(migrated), migrations.length);
        assert.deepEqual(schemaOf(migrated), schemaOf(fresh));
        const after = rowsOf(migrated, false);
        for (const [table, rows] of Object.entries(before)) assert.deepEqual(after[table], rows);
      });
    }
  }

  it('leaves a whole earlier version where a step fails', (t) => {
    const path = join(temporaryDirectory(t), 'state.db');
    const broken = {
      name: 'broken',
      sql: 'CREATE TABLE extra (id INTEGER); INSERT INTO nowhere VALUES (1);',
    };
    assert.throws(() => open(path, [...stateMigrations, broken]), { code: 'STATE_UNAVAILABLE' });
    const database = open(path, stateMigrations);
    t.after(() => database.close());
    assert.equal(schemaVersion(database), stateMigrations.length);
    assert.equal(database.prepare("SELECT * FROM sqlite_schema WHERE name = 'extra'").get(), undefined);
  });

  it('refuses a database of a newer version and leaves it as it is', (t) => {
    const path = join(temporaryDirectory(t), 'state.db');
    const newer = [...stateMigrations, { name: 'more', sql: 'CREATE TABLE more (id INTEGER)' }];
    open(path, newer).close();
    const before = readFileSync(path);
    const message = new RegExp(`${path}: was written by a newer Selvage \\(schema ${newer.length}`);
    assert.throws(() => open(path, stateMigrations), { code: 'STATE_UNAVAILABLE', message });
    assert.throws(() => openDatabaseReadOnly(path, stateMigrations), { code: 'STATE_UNAVAILABLE', message });
    assert.deepEqual(readFileSync(path), before);
  });

  const damages: ReadonlyArray<readonly [string, (path: string) => void]> = [
    [
      'is no database',
      (path) => writeFileSync(path, 'not a database, but long enough to have a header'.repeat(99)),
    ],
    ['is cut off', (path) => truncateSync(path, 8192)],
    ['has a damaged page', (path) => writeFileSync(path, damagedPage(readFileSync(path)))],
  ];
  for (const [what, damage] of damages) {
    it(`moves a file aside that ${what} and begins a new one`, (t) => {
      const directory = temporaryDirectory(t);
      const path = join(directory, 'state.db');
      open(path, stateMigrations).close();
      damage(path);
      const damaged = readFileSync(path);
      const events: SetAside[] = [];
      const database = open(path, stateMigrations, events);
      t.after(() => database.close());
      assert.equal(schemaVersion(database), stateMigrations.length);
      assert.equal(events.length, 1);
      const { movedTo, reason } = events[0] as SetAside;
      assert.match(movedTo, /state\.db\.corrupt-\d{4}-\d\d-\d\dT/);
      assert.match(reason, /damaged|not a database/);
      assert.deepEqual(readFileSync(movedTo), damaged);
    });
  }

  it('keeps the two newest damaged copies only', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'state.db');
    const events: SetAside[] = [];
    for (let round = 0; round < 4; round += 1) {
      writeFileSync(path, `${round}`.repeat(5000));
      open(path, stateMigrations, events).close();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const copies = readdirSync(directory).filter((name) => name.includes('corrupt'));
    assert.deepEqual(copies.map((name) => readFileSync(join(directory, name), 'utf8')[0]).sort(), ['2', '3']);
  });

  it('says in words what keeps it from opening', (t) => {
    const path = join(temporaryDirectory(t), 'missing', 'state.db');
    assert.throws(() => open(path, stateMigrations), {
      code: 'STATE_UNAVAILABLE',
      message: /directory does not exist/,
    });
    assert.throws(() => openDatabaseReadOnly(path, stateMigrations), { code: 'STATE_UNAVAILABLE' });
  });
});

/** Overwrites the second page, which is the root of the first table. */
function damagedPage(file: Buffer): Buffer {
  return Buffer.concat([file.subarray(0, 4096), Buffer.alloc(4096, 0xff), file.subarray(8192)]);
}
