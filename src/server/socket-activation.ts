/**
 * The listening sockets systemd passed to this process (sd_listen_fds(3)), by name: file descriptors from 3 on,
 * named by LISTEN_FDNAMES (`FileDescriptorName=` of the socket unit, else the unit's name). Empty where there are
 * none or they were meant for another process. The variables are removed from `env`, so that no child takes them
 * for its own. Of several with one name the first counts.
 */
export function listenFds(env: NodeJS.ProcessEnv, pid: number = process.pid): ReadonlyMap<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  const fds = new Map<string, number>();
  const count = Number(LISTEN_FDS);
  if (LISTEN_PID !== String(pid) || !Number.isInteger(count) || count < 1 || count > MAX_FDS) return fds;
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  for (let index = 0; index < count; index++) {
    const name = names[index] || 'unknown';
    if (!fds.has(name)) fds.set(name, FIRST_FD + index);
  }
  return fds;
}

/** SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
const MAX_FDS = 64;
