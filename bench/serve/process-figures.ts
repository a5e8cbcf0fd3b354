import { readFileSync } from 'node:fs';

/** Clock ticks per second of `/proc/PID/stat`: 100 for user space on every Linux. */
const TICKS_PER_SECOND = 100;

/** A field of `/proc/PID/status` in bytes: resident memory (`VmRSS`) or the anonymous part of it (`RssAnon`). */
export function memoryBytes(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(kib) * 1024;
}

/** Processor time a process used so far, all its threads, in seconds (proc_pid_stat(5): utime and stime). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
