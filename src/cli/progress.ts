import type { JobProgress } from '../lib/child/job.ts';

const BAR_WIDTH = 24;
/** A bar is drawn at most this often, in milliseconds. */
const REDRAW_MS = 100;
/** No time is promised before this much has passed, in milliseconds: the first steps tell little of the rest. */
const ETA_FROM_MS = 2000;

/** Shows how far a job is: `show` as often as one likes, then `end` once, which leaves the line empty. */
export interface ProgressDisplay {
  readonly show: (progress: JobProgress) => void;
  readonly end: () => void;
}

/** Where progress is written. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * A bar with the time left on a terminal, redrawn in place; elsewhere one plain line per new message. Written to
 * standard error, since standard output is for results.
 */
export function progressDisplay(
  stream: ProgressStream = process.stderr,
  now: () => number = () => performance.now(),
): ProgressDisplay {
  return stream.isTTY === true ? bar(stream, now) : lines(stream);
}

function lines(stream: ProgressStream): ProgressDisplay {
  let last = '';
  return {
    show: ({ message }) => {
      if (message === last) return;
      last = message;
      stream.write(`${message}\n`);
    },
    end: () => {},
  };
}

function bar(stream: ProgressStream, now: () => number): ProgressDisplay {
  const startedMs = now();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let last = '';
  return {
    show: ({ fraction, message }) => {
      const nowMs = now();
      if (message === last && nowMs - drawnMs < REDRAW_MS) return;
      last = message;
      drawnMs = nowMs;
      const line = barLine(fraction, message, nowMs - startedMs);
      stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`);
    },
    end: () => stream.write('\r\x1b[K'),
  };
}

/** One line: bar, percent, time left as far as it can be told, message. `fraction` is 0..1. */
export function barLine(fraction: number, message: string, elapsedMs: number): string {
  const done = Math.min(1, Math.max(0, fraction));
  const filled = Math.round(done * BAR_WIDTH);
  const percent = `${Math.floor(done * 100)}`.padStart(3);
  const leftMs = elapsedMs < ETA_FROM_MS || done < 0.02 ? undefined : (elapsedMs * (1 - done)) / done;
  const left = leftMs === undefined ? '' : `, ${duration(leftMs)} left`;
  return `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${percent} %${left}  ${message}`;
}

/** `42 s`, `3 min 5 s` or `2 h 10 min`. */
function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
