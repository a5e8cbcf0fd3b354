import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Time a child has to end by itself after SIGTERM. */
const STOP_MS = 15_000;

/** A temporary directory and the child processes of a benchmark: nothing of either is left behind. */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), 'selvage-bench-'));
  readonly #children = new Set<ChildProcess>();
  #count = 0;

  /** A new empty directory; its name is short, because sockets lie in it. */
  subdirectory(): string {
    this.#count += 1;
    const path = join(this.directory, String(this.#count));
    mkdirSync(path);
    return path;
  }

  /** Starts Node on a module. */
  spawnNode(args: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn(process.execPath, [...args], options);
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    child.on('error', () => this.#children.delete(child));
    return child;
  }

  /** Ends a child: SIGTERM, and SIGKILL where that is not enough. Resolves when it has ended. */
  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }

  /** Ends all children at once: what a measurement that failed left behind. */
  killChildren(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  close(): void {
    this.killChildren();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
