/** Socket of the inference server, unless a command line names one: `SELVAGE_SOCKET`, else the configuration's default. */
export function inferenceSocket(env: NodeJS.ProcessEnv = process.env): string {
  return env['SELVAGE_SOCKET'] || '/run/selvage/selvage.sock';
}

/** Socket of the administration server: `SELVAGE_ADMIN_SOCKET`, else the configuration's default. */
export function adminSocket(env: NodeJS.ProcessEnv = process.env): string {
  return env['SELVAGE_ADMIN_SOCKET'] || '/run/selvage/admin.sock';
}
