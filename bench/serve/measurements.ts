import { idleCpu } from './idle-cpu.ts';
import { loadCycles } from './load-cycles.ts';
import { loopDelay } from './loop-delay.ts';
import type { Measurement } from './measurement.ts';
import { memory } from './memory.ts';
import { mobilenetLatency } from './mobilenet-latency.ts';
import { recovery } from './recovery.ts';
import { requestLog } from './request-log.ts';
import { startTime } from './start-time.ts';
import { throughput } from './throughput.ts';
import { tinyLatency } from './tiny-latency.ts';

/** The measurements, in the order in which they are made and reported. */
export const MEASUREMENTS: readonly Measurement[] = [
  mobilenetLatency,
  tinyLatency,
  throughput,
  loopDelay,
  startTime,
  recovery,
  memory,
  idleCpu,
  loadCycles,
  requestLog,
];
