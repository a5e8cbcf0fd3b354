import type { JobStatus } from '../src/lib/child/job-registry.ts';
import { SelvageError } from '../src/lib/errors.ts';
import type { AgentControl, AgentStatus, ReloadReport } from '../src/serving/service.ts';
import type { EchoService } from './echo-service.ts';

const JOB: JobStatus = {
  id: 'j1',
  kind: 'benchmark',
  subject: 'clothes',
  state: 'running',
  progress: 0.5,
  message: 'variant 1 of 2',
  startedAt: 1,
  endedAt: undefined,
};

/** An agent that keeps in memory what it was told. */
export class MemoryControl implements AgentControl {
  readonly loaded = new Set<string>();
  readonly #service: EchoService;
  job: JobStatus = JOB;
  configProblem: string | undefined;

  constructor(service: EchoService) {
    this.#service = service;
  }

  async load(model: string): Promise<void> {
    this.#service.model(model);
    this.loaded.add(model);
  }

  async unload(model: string): Promise<void> {
    this.#service.model(model);
    this.loaded.delete(model);
  }

  async reload(): Promise<ReloadReport> {
    if (this.configProblem !== undefined) {
      throw SelvageError.of('CONFIG_INVALID', { problems: this.configProblem });
    }
    return { added: ['b'], changed: [], removed: [], unchanged: ['a'], needRestart: [] };
  }

  status(): AgentStatus {
    return {
      version: '0.1.0',
      pid: process.pid,
      startedAt: 1,
      uptimeSeconds: 2,
      ready: true,
      rssBytes: 3,
      configPath: '/etc/selvage/selvage.yaml',
      stateDir: '/var/lib/selvage',
      listeners: ['/run/selvage/selvage.sock'],
      models: this.#service.models(),
    };
  }

  jobs(): JobStatus[] {
    return [this.job];
  }

  cancelJob(id: string): boolean {
    if (id !== this.job.id || this.job.state !== 'running') return false;
    this.job = { ...this.job, state: 'cancelled' };
    return true;
  }
}
