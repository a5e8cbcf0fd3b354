import { cpus, loadavg, release, totalmem } from 'node:os';
import { runtimeVersion } from '../../src/runtime/runtime-version.ts';

/** What the figures were measured on; the load average (1 minute) tells how quiet it was. */
export function describeMachine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown processor',
    cores: processors.length,
    memoryMiB: Math.round(totalmem() / (1024 * 1024)),
    kernel: release(),
    node: process.versions.node,
    onnxRuntime: runtimeVersion(),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}
