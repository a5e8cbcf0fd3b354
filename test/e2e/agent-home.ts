import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The directory of an agent under test: its configuration, state, sockets and models. */
export class AgentHome {
  readonly dir = mkdtempSync(join(tmpdir(), 'selvage-e2e-'));

  get configPath(): string {
    return join(this.dir, 'selvage.yaml');
  }

  get stateDir(): string {
    return join(this.dir, 'state');
  }

  get socket(): string {
    return join(this.dir, 'selvage.sock');
  }

  get adminSocket(): string {
    return join(this.dir, 'admin.sock');
  }

  /** Path of a file below the directory. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes a file below the directory, with the folders on its way; returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Writes the configuration: these models, the paths of this directory, and `rest` (JSON is YAML too). */
  configure(models: Readonly<Record<string, unknown>>, rest: Readonly<Record<string, unknown>> = {}): void {
    const server = { http: { socket: 'selvage.sock' }, admin: { socket: 'admin.sock' } };
    // Tests count lines, so repeats are written too.
    const log = { repeatWindowMs: 0 };
    this.write('selvage.yaml', JSON.stringify({ stateDir: 'state', server, log, models, ...rest }, null, 2));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
