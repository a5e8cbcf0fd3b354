import type { Database } from 'better-sqlite3';

/** One step of a schema: SQL that takes a database from one version to the next. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** The schema version of a database: the number of migrations it has been through. */
export function schemaVersion(database: Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/**
 * Takes a database from its version to the newest, each step with its version number in one transaction, so that
 * a cut in between leaves a whole earlier version. The caller has refused databases of newer versions.
 */
export function migrate(database: Database, migrations: readonly Migration[]): void {
  for (const [index, { sql }] of migrations.entries()) {
    if (index < schemaVersion(database)) continue;
    database.transaction(() => {
      database.exec(sql);
      database.pragma(`user_version = ${index + 1}`);
    })();
  }
}
