import type { Migration } from '../migrations.ts';

/** The schema of requests.db, step by step; see `stateMigrations` for the rules. */
export const requestMigrations: readonly Migration[] = [
  {
    name: 'requests',
    sql: `
      CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        requestId TEXT NOT NULL,
        model TEXT NOT NULL,
        variant TEXT,
        source TEXT,
        status INTEGER NOT NULL,
        latencyUs INTEGER NOT NULL,
        queueUs INTEGER NOT NULL,
        batch INTEGER,
        error TEXT
      ) STRICT;
      CREATE INDEX requestsByTime ON requests (at);
    `,
  },
];
