import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../src/lib/paths.ts';

/** A tensor as JSON: `type` is the runtime's name (`float32`), 64-bit integers are strings. */
export interface PlainTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: readonly (number | string | boolean)[];
}

/** A model file to load and run once; without `feeds` it is only loaded. */
export interface RuntimeTask {
  readonly path: string;
  readonly feeds?: Readonly<Record<string, PlainTensor>>;
  /** Where the runtime is to write what it has made of the model, its fused operators included. */
  readonly optimizedPath?: string;
}

/** What the runtime made of it: outputs by name (none when it was only loaded), or its message. */
export interface RuntimeResult {
  readonly inputs?: readonly string[];
  readonly outputs?: Readonly<Record<string, PlainTensor>>;
  readonly error?: string;
}

const TIMEOUT_MS = 60_000;

/** Loads and runs models in ONNX Runtime, in a child process, so that the tests' own process never loads it. */
export function runInRuntime(tasks: readonly RuntimeTask[]): Promise<RuntimeResult[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(packageRoot, 'dist/test/runtime-child.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      timeout: TIMEOUT_MS,
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(chunks).toString()) as RuntimeResult[]);
      else reject(new Error(`the runtime's process ended with ${signal ?? code}`));
    });
    child.stdin.end(JSON.stringify(tasks));
  });
}
