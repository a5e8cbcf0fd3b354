import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { assetsDir } from '../../test/assets.ts';
import type { Measurement } from './measurement.ts';
import { MEASUREMENTS } from './measurements.ts';

/** What the command line asks for. */
export interface Options {
  readonly json: boolean;
  readonly quick: boolean;
  readonly help: boolean;
  readonly assetsDir: string | undefined;
  readonly measurements: readonly Measurement[];
  /** Where the agents leave a CPU profile each. */
  readonly profileDir: string | undefined;
}

export const HELP = `Usage: npm run bench -- serve [options]

Measures the agent beside its limits and peers, in one run of some minutes. What each figure means and how to read
it: docs/benchmarks.md. For a document on standard output and nothing else: npm run --silent bench -- serve --json

Options:
  --json            one JSON document instead of a table
  --assets DIR      assets with MobileNetV2; else SELVAGE_ASSETS, else ../shared/assets; without: the tiny model only
  --quick           a smoke run of some seconds, on the tiny model only unless --assets is given
  --only NAME,…     only these measurements: ${MEASUREMENTS.map(({ name }) => name).join(', ')}
  --profile DIR     the agents write CPU profiles there (slower; figures say less)
  -h, --help        this text

Example: npm run bench -- serve --only tiny-latency,throughput
`;

/** Reads the command line; throws an Error that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      assets: { type: 'string' },
      only: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const { json, quick, help, assets, only, profile } = values;
  return {
    json,
    quick,
    help,
    assetsDir: assets === undefined ? (quick ? undefined : assetsDir) : givenAssets(resolve(assets)),
    measurements: only === undefined ? MEASUREMENTS : only.split(',').map(measurementNamed),
    profileDir: profile === undefined ? undefined : resolve(profile),
  };
}

function givenAssets(path: string): string {
  const model = join(path, 'models/mobilenet_v2_1.0_224.onnx');
  if (!existsSync(model)) throw new Error(`--assets: there is no ${model}`);
  return path;
}

function measurementNamed(name: string): Measurement {
  const found = MEASUREMENTS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = MEASUREMENTS.map((one) => one.name).join(', ');
  throw new Error(`--only: there is no measurement '${name}'; there are ${names}`);
}
