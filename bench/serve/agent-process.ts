import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/lib/paths.ts';
import type { ModelStatus } from '../../src/serving/service.ts';
import { LeanClient, requestBytes } from './lean-client.ts';
import type { Workplace } from './workplace.ts';

/** Time the agent has to answer and, once, to import its models. */
const READY_MS = 60_000;
/** More often would take processor time from what is being started. */
const POLL_MS = 4;

/** An agent's directory with its configuration; it can be started many times. */
export interface AgentSetup {
  readonly directory: string;
  readonly configPath: string;
  readonly socketPath: string;
  readonly adminPath: string;
}

/** Writes the configuration of an agent with these models (as in the configuration file) into a directory of its own. */
export function setUpAgent(
  workplace: Workplace,
  models: Readonly<Record<string, object>>,
  settings: Readonly<Record<string, object>> = {},
): AgentSetup {
  const directory = workplace.subdirectory();
  const socketPath = join(directory, 'http.sock');
  const adminPath = join(directory, 'admin.sock');
  const configPath = join(directory, 'selvage.yaml');
  const config = {
    stateDir: join(directory, 'state'),
    server: { http: { socket: socketPath }, admin: { socket: adminPath } },
    models,
    ...settings,
  };
  writeFileSync(configPath, JSON.stringify(config, null, 2)); // JSON is YAML.
  return { directory, configPath, socketPath, adminPath };
}

/** An agent as a user starts it: `selvage serve --config FILE`, its log in a file beside the configuration. */
export class AgentProcess {
  readonly setup: AgentSetup;
  readonly #workplace: Workplace;
  readonly #child: ChildProcess;
  readonly #startedAt = performance.now();
  /** Milliseconds from the start of the process until its socket took a connection; NaN before. */
  listeningMs = Number.NaN;

  /** Starts the process and does not wait. `nodeFlags` go before the script (for a profile). */
  constructor(workplace: Workplace, setup: AgentSetup, nodeFlags: readonly string[] = []) {
    this.setup = setup;
    this.#workplace = workplace;
    const log = openSync(join(setup.directory, 'agent.log'), 'a');
    const script = join(packageRoot, 'bin/selvage.js');
    this.#child = workplace.spawnNode([...nodeFlags, script, 'serve', '--config', setup.configPath], {
      stdio: ['ignore', log, log],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    closeSync(log);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the agent has no process');
    return this.#child.pid;
  }

  /** Resolves with the milliseconds from the start of the process to the first 200 of `/v2/health/ready`. */
  async ready(): Promise<number> {
    const request = requestBytes('GET', '/v2/health/ready');
    let client: LeanClient | undefined;
    try {
      while (performance.now() - this.#startedAt < READY_MS && !this.#ended) {
        client ??= await this.#tryToConnect();
        const response = await client?.send(request);
        if (response?.status === 200) return performance.now() - this.#startedAt;
        await sleep(POLL_MS);
      }
      throw new Error(`the agent did not become ready; the end of its log:\n${this.#logTail()}`);
    } finally {
      client?.close();
    }
  }

  /** One request on the administration socket; rejects where it is not answered with 200. */
  async admin<Answer>(method: 'GET' | 'POST', path: string): Promise<Answer> {
    const client = await LeanClient.connect(this.setup.adminPath);
    try {
      const { status, body } = await client.send(requestBytes(method, path));
      if (status !== 200) throw new Error(`${method} ${path}: status ${status}: ${body.toString()}`);
      return JSON.parse(body.toString()) as Answer;
    } finally {
      client.close();
    }
  }

  /** Loads or unloads a model; resolves when that is done. */
  async repository(model: string, action: 'load' | 'unload'): Promise<void> {
    await this.admin('POST', `/v2/repository/models/${model}/${action}`);
  }

  async models(): Promise<readonly ModelStatus[]> {
    return (await this.admin<{ models: ModelStatus[] }>('GET', '/models')).models;
  }

  /** The process that runs a model; rejects where there is none. */
  async runnerPid(model: string): Promise<number> {
    const pid = (await this.models()).find(({ name }) => name === model)?.pid;
    if (pid === undefined) throw new Error(`model '${model}' has no runner`);
    return pid;
  }

  stop(): Promise<void> {
    return this.#workplace.stop(this.#child);
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #tryToConnect(): Promise<LeanClient | undefined> {
    const client = await LeanClient.connect(this.setup.socketPath).catch(() => undefined);
    if (client !== undefined) this.listeningMs = performance.now() - this.#startedAt;
    return client;
  }

  #logTail(): string {
    return readFileSync(join(this.setup.directory, 'agent.log'), 'utf8').split('\n').slice(-12).join('\n');
  }
}

/** Starts an agent and waits until it is ready. */
export async function startAgent(
  workplace: Workplace,
  setup: AgentSetup,
  profileDir?: string,
): Promise<AgentProcess> {
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });
  const flags = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const agent = new AgentProcess(workplace, setup, flags);
  await agent.ready();
  return agent;
}
