import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LeanClient } from './lean-client.ts';
import type { Workload } from './workload.ts';
import type { Workplace } from './workplace.ts';

const SCRIPT = fileURLToPath(new URL('./bare-server.js', import.meta.url));
const READY_MS = 30_000;
const POLL_MS = 4;

/** The bare server (bare-server.ts) as a process. */
export class BareProcess {
  readonly socketPath: string;
  readonly #workplace: Workplace;
  readonly #child: ChildProcess;
  readonly #startedAt = performance.now();

  private constructor(workplace: Workplace, workloads: readonly Workload[]) {
    this.#workplace = workplace;
    this.socketPath = join(workplace.subdirectory(), 'bare.sock');
    const models = workloads.map(({ model, modelPath }) => `${model}=${modelPath}`);
    this.#child = workplace.spawnNode([SCRIPT, this.socketPath, ...models], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
  }

  /** Starts it and waits until it listens, which it does once its models are loaded. */
  static async start(workplace: Workplace, workloads: readonly Workload[]): Promise<BareProcess> {
    const bare = new BareProcess(workplace, workloads);
    for (;;) {
      const client = await LeanClient.connect(bare.socketPath).catch(() => undefined);
      client?.close();
      if (client !== undefined) return bare;
      if (bare.#child.exitCode !== null || bare.ageMs > READY_MS)
        throw new Error('the bare server did not start');
      await sleep(POLL_MS);
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the bare server has no process');
    return this.#child.pid;
  }

  /** Milliseconds since its process was started. */
  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  stop(): Promise<void> {
    return this.#workplace.stop(this.#child);
  }
}
