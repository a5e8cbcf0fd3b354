import { readFileSync } from 'node:fs';

/**
 * The most memory that this process and its children held at one time, in bytes: from above, since the peaks of
 * processes that ran beside each other are added up.
 */
export class MemoryPeak {
  readonly #children = new Map<number, number>();
  #childrenPeak = 0;

  /** Looks at a child, which must still run; call it last before the child is ended. */
  look(pid: number | undefined): void {
    if (pid === undefined) return;
    this.#children.set(pid, peakBytes(pid) ?? this.#children.get(pid) ?? 0);
    const together = [...this.#children.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#childrenPeak = Math.max(this.#childrenPeak, together);
  }

  /** A child has ended: what it held is free again. */
  forget(pid: number | undefined): void {
    if (pid !== undefined) this.#children.delete(pid);
  }

  /** The peak so far, in bytes. */
  total(): number {
    return (peakBytes(process.pid) ?? process.memoryUsage.rss()) + this.#childrenPeak;
  }
}

/** The largest resident size that a process had so far (`VmHWM` of `/proc/PID/status`); undefined once it has ended. */
function peakBytes(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
