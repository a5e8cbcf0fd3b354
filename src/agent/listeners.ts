import type { Config } from '../config/schema.ts';
import type { Log } from '../lib/log.ts';
import { packageVersion } from '../lib/version.ts';
import { adminRoutes } from '../server/admin-routes.ts';
import { HttpServer } from '../server/http.ts';
import { inferenceRoutes } from '../server/inference-routes.ts';
import { SharedMemoryRegions } from '../server/shared-memory-regions.ts';
import { listenFds } from '../server/socket-activation.ts';
import type { AgentControl, InferenceService } from '../serving/service.ts';

/** What the listeners serve. */
export interface ListenersOptions {
  readonly config: Config['server'];
  readonly service: InferenceService;
  readonly control: AgentControl;
  readonly metrics: () => string;
  readonly log: Log;
}

/** Permission bits of the admin socket: its owner alone. */
const ADMIN_MODE = 0o600;

/** The inference server on its Unix socket (and loopback TCP where configured), and the admin server on its own. */
export class Listeners {
  readonly #config: Config['server'];
  readonly #inference: HttpServer;
  readonly #admin: HttpServer;
  readonly #addresses: string[] = [];

  constructor({ config, service, control, metrics, log }: ListenersOptions) {
    const { limits, systemSharedMemory } = config.http;
    const regions = systemSharedMemory ? new SharedMemoryRegions(limits.binaryBodyBytes) : undefined;
    this.#config = config;
    this.#inference = new HttpServer({
      routes: inferenceRoutes({ service, version: packageVersion, limits, metrics, regions }),
      limits,
      log,
    });
    this.#admin = new HttpServer({ routes: adminRoutes({ control, service }), limits, log });
  }

  /** Where the agent listens, for people. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Connections open now, by listener. */
  get connections(): { inference: number; admin: number } {
    return { inference: this.#inference.connections, admin: this.#admin.connections };
  }

  /** Binds everything; throws SOCKET_IN_USE or SOCKET_PATH. */
  async open(): Promise<void> {
    const { http, admin } = this.#config;
    const inherited = listenFds(process.env);
    const fd = inherited.get('http');
    if (fd === undefined) {
      await this.#inference.listenUnix({
        path: http.socket,
        mode: Number.parseInt(http.mode, 8),
        group: http.group,
      });
    } else await this.#inference.listenFd(fd);
    this.#addresses.push(fd === undefined ? `unix:${http.socket}` : `unix:${http.socket} (from systemd)`);
    await this.#admin.listenUnix({ path: admin.socket, mode: ADMIN_MODE });
    this.#addresses.push(`unix:${admin.socket} (administration)`);
    if (http.tcp !== undefined) {
      const { host, port } = await this.#inference.listenTcp(http.tcp);
      this.#addresses.push(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
    }
  }

  /** Stops listening and drains: the inference server first, so that its state can be watched meanwhile. */
  async close(drainTimeoutMs: number): Promise<void> {
    await this.#inference.close(drainTimeoutMs);
    await this.#admin.close(drainTimeoutMs);
  }
}
