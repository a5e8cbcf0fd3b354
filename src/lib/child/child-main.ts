import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** How a child presents itself to the kernel. */
export interface ChildConduct {
  /** Niceness, 0 for work that somebody waits for. */
  readonly nice?: number;
  /** Readiness to be killed when memory runs out; higher than the agent's, so that the agent survives. */
  readonly oomScoreAdj?: number;
}

/** Called first in a child's main: children are killed before the agent when memory runs out. */
export function beginChild(conduct: ChildConduct = {}): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', String(conduct.oomScoreAdj ?? 500));
  } catch {
    // Not allowed in some containers; the kernel then chooses by size, which finds the runners too.
  }
  if (conduct.nice !== undefined) {
    try {
      setPriority(conduct.nice);
    } catch {
      // Serving goes on at equal priority then.
    }
  }
}
