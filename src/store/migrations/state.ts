import type { Migration } from '../migrations.ts';

/**
 * The schema of state.db, step by step. A step that was released is never edited: a change is a new step at the
 * end. Times are milliseconds since the epoch; hashes are SHA-256 in lower-case hex.
 */
export const stateMigrations: readonly Migration[] = [
  {
    name: 'models and their sources',
    sql: `
      CREATE TABLE models (
        hash TEXT PRIMARY KEY,
        sizeBytes INTEGER NOT NULL,
        importedAt INTEGER NOT NULL,
        signature TEXT NOT NULL,
        summary TEXT NOT NULL,
        externalFiles TEXT NOT NULL
      ) STRICT;
      CREATE TABLE sources (
        path TEXT PRIMARY KEY,
        hash TEXT NOT NULL REFERENCES models (hash) ON DELETE CASCADE,
        files TEXT NOT NULL,
        checkedAt INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX sourcesByHash ON sources (hash);
    `,
  },
  {
    name: 'measurements and selections',
    sql: `
      CREATE TABLE measurements (
        model TEXT NOT NULL REFERENCES models (hash) ON DELETE CASCADE,
        settings TEXT NOT NULL,
        hardware TEXT NOT NULL,
        runtime TEXT NOT NULL,
        p50Ms REAL NOT NULL,
        p95Ms REAL NOT NULL,
        meanMs REAL NOT NULL,
        iterations INTEGER NOT NULL,
        rssBytes INTEGER NOT NULL,
        loadMs REAL NOT NULL,
        measuredAt INTEGER NOT NULL,
        PRIMARY KEY (model, settings, hardware, runtime)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE selections (
        model TEXT PRIMARY KEY,
        variant TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
      ) STRICT;
    `,
  },
  {
    name: 'hardware reports',
    sql: `
      CREATE TABLE probes (
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,
        report TEXT NOT NULL,
        at INTEGER NOT NULL
      ) STRICT;
    `,
  },
];
