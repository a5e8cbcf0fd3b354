import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { packageRoot } from '../../src/lib/paths.ts';
import type { AgentStatus, ModelStatus } from '../../src/serving/service.ts';
import type { AgentHome } from './agent-home.ts';
import { type Answer, ask, type Question } from './http-client.ts';
import { until } from './until.ts';

/** A line of the agent's log. */
export type LogLine = { readonly level: string; readonly msg: string } & Readonly<Record<string, unknown>>;

/** How an agent is started. */
export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A shell command that runs before the agent, in a mount namespace of its own (see `skipWithoutMounts`). */
  readonly mount?: string;
}

/** How a process ended and what it wrote. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = join(packageRoot, 'bin/selvage.js');
const STOP_LIMIT_MS = 20_000;

/** Agents of this process; a test that fails before it can stop its agent must not leave it running. */
const RUNNING = new Set<ChildProcessByStdio<null, Readable, Readable>>();
process.on('exit', () => {
  for (const child of RUNNING) child.kill('SIGKILL');
});

/** An agent as a user meets it: `selvage serve --config FILE` in a process of its own. */
export class AgentProcess {
  readonly home: AgentHome;
  /** Resolves when the process has ended and all it wrote was read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #stdout = '';
  #stderr = '';
  #ended = false;

  private constructor(home: AgentHome, { env = {}, mount }: LaunchOptions) {
    this.home = home;
    const command = [process.execPath, PROGRAM, 'serve', '--config', home.configPath];
    const mounted = ['unshare', '-m', 'sh', '-c', `${mount} && exec "$0" "$@"`, ...command];
    const [file = '', ...args] = mount === undefined ? command : mounted;
    this.#child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    RUNNING.add(this.#child);
    this.#child.stdout.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => {
        this.#ended = true;
        RUNNING.delete(this.#child);
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** Starts an agent and waits for nothing. */
  static launch(home: AgentHome, options: LaunchOptions = {}): AgentProcess {
    return new AgentProcess(home, options);
  }

  /** Starts an agent and waits until it is ready: every model serves or is known not to. */
  static async start(home: AgentHome, options: LaunchOptions = {}): Promise<AgentProcess> {
    const agent = AgentProcess.launch(home, options);
    try {
      await agent.ready();
      return agent;
    } catch (error) {
      const { stdout, stderr } = await agent.stop();
      throw new Error(`${String(error)}\n${stdout}${stderr}`);
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the agent was not started');
    return pid;
  }

  /** Everything it wrote, for looking through. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  /** Waits until `GET /v2/health/ready` answers 200. */
  async ready(): Promise<void> {
    await until(
      'the agent is ready',
      () => this.#health('/v2/health/ready'),
      (status) => status === 200,
    );
  }

  /** Waits until the agent answers at all, ready or not. */
  async listening(): Promise<void> {
    await until(
      'the agent listens',
      () => this.#health('/v2/health/live'),
      (status) => status === 200,
    );
  }

  /** A question over the inference socket. */
  ask(path: string, question?: Question): Promise<Answer> {
    return ask(this.home.socket, path, question);
  }

  /** A question over the administration socket. */
  admin(path: string, question?: Question): Promise<Answer> {
    return ask(this.home.adminSocket, path, question);
  }

  /** An infer request in JSON; `rest` joins its body. */
  infer(
    model: string,
    inputs: readonly unknown[],
    rest: object = {},
    question: Question = {},
  ): Promise<Answer> {
    return this.ask(`/v2/models/${model}/infer`, { ...question, body: { inputs, ...rest } });
  }

  async status(): Promise<AgentStatus> {
    return (await this.admin('/status')).json as AgentStatus;
  }

  /** What the administration socket says of a model. */
  async model(name: string): Promise<ModelStatus> {
    const { models } = (await this.admin('/models')).json as { models: ModelStatus[] };
    const found = models.find((model) => model.name === name);
    if (found === undefined) throw new Error(`the agent has no model ${name}`);
    return found;
  }

  /** Process of a model's runner; throws where it has none. */
  async runnerPid(name: string): Promise<number> {
    const { pid, state, reason } = await this.model(name);
    if (pid === undefined) throw new Error(`${name} has no runner: it is ${state} (${reason})`);
    return pid;
  }

  /** Waits until a model is ready. */
  modelReady(name: string): Promise<ModelStatus> {
    return until(
      `${name} is ready`,
      () => this.model(name),
      ({ state }) => state === 'ready',
    );
  }

  /** Value of a series as `GET /metrics` writes it; 0 where it is not there. */
  async metric(series: string): Promise<number> {
    const { text } = await this.ask('/metrics');
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** The log so far. */
  logs(): LogLine[] {
    const whole = this.#stdout.slice(0, this.#stdout.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The lines with this message so far. */
  logged(message: string): LogLine[] {
    return this.logs().filter(({ msg }) => msg === message);
  }

  /** Waits for a line with this message. */
  async untilLogged(message: string, count = 1): Promise<LogLine[]> {
    return until(
      `'${message}' is logged`,
      () => this.logged(message),
      (lines) => lines.length >= count,
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks for a new look at the configuration. */
  reload(): Promise<Answer> {
    return this.admin('/config/reload', { method: 'POST' });
  }

  /** Pids of the processes the agent has started and that are still there. */
  children(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && parentOf(name) === this.pid)
      .map(Number);
  }

  /** SIGTERM, and how it ended; killed where that takes too long, so that nothing outlives the tests. */
  async stop(): Promise<Exit> {
    if (!this.#ended) this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** Status of a health route; 0 while nobody answers there. */
  async #health(path: string): Promise<number> {
    if (this.#ended) throw new Error(`the agent has ended: ${this.output}`);
    try {
      return (await this.ask(path)).status;
    } catch {
      return 0;
    }
  }
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  const state = procStat(String(pid))?.[0];
  return state !== undefined && state !== 'Z';
}

function parentOf(pid: string): number | undefined {
  const fields = procStat(pid);
  return fields === undefined || fields[0] === 'Z' ? undefined : Number(fields[1]);
}

/** The fields of /proc/PID/stat after the name: state, parent, … (proc(5)); the name itself may hold anything. */
function procStat(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
