import { readFileSync } from 'node:fs';

/** Resident memory of a process in bytes (`VmRSS` of `/proc/PID/status`); undefined once it has ended. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
