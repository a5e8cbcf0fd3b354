/** Where the configuration lies unless a command or `SELVAGE_CONFIG` says otherwise. */
export const DEFAULT_CONFIG_PATH = '/etc/selvage/selvage.yaml';

/** The configuration to use where no command line names one: `SELVAGE_CONFIG`, else the default. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return env['SELVAGE_CONFIG'] || DEFAULT_CONFIG_PATH;
}

/**
 * Where the credentials of the unit lie: `CREDENTIALS_DIRECTORY`, which systemd sets for the service; for a person
 * at a shell the directory systemd makes for the running service (readable by root).
 */
export function credentialsDir(env: NodeJS.ProcessEnv = process.env): string {
  return env['CREDENTIALS_DIRECTORY'] || '/run/credentials/selvage.service';
}
