import { createRequire } from 'node:module';

/** Version of ONNX Runtime, from the package and without loading the library. */
export function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return version;
}
