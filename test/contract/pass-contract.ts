import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Pass } from '../../src/compress/pass.ts';
import { cleanInputs } from '../../src/compress/passes/clean-inputs.ts';
import { raiseOpset } from '../../src/compress/passes/raise-opset.ts';
import { type PipelineResult, runPasses } from '../../src/compress/pipeline.ts';
import type { ModelProto } from '../../src/graph/gen/onnx_pb.ts';
import { encodeModel, writeModel } from '../../src/graph/write-model.ts';
import { type CompressModel, compressModels } from '../compress-models.ts';
import { type PlainTensor, type RuntimeResult, runInRuntime } from '../runtime.ts';
import { observeValues, type ValueStatistics } from '../value-ranges.ts';

/** A pass with what the contract needs to try it. */
export interface PassContractCase {
  /** The pass (and what has to run before it) for a model whose values are these. */
  readonly passes: (values: ValueStatistics) => readonly Pass[];
  /** The least signal-to-noise ratio of every output, in dB. */
  readonly snrDb: number;
  /** Names of nodes by model that the pass must have changed. */
  readonly handles: Readonly<Record<string, readonly string[]>>;
}

const OBSERVED_SAMPLES = 4;

/** What every pass must do to every kind of model; called once in the test of each pass. */
export function testPassContract(name: string, given: PassContractCase): void {
  describe(`pass contract: ${name}`, () => {
    let folder: string;
    let tried: readonly Tried[];
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'selvage-pass-'));
      tried = await Promise.all(compressModels().map((model) => tryPass(folder, model, given)));
    });
    after(() => rm(folder, { recursive: true, force: true }));

    it('leaves the given model as it was and makes the same bytes again', () => {
      for (const { model, clean, cleanBytes, result, again } of tried) {
        assert.deepEqual(encodeModel(clean), cleanBytes, model.name);
        assert.deepEqual(encodeModel(result.model), encodeModel(again.model), model.name);
      }
    });

    it('keeps names, types and shapes of inputs and outputs', () => {
      for (const { model, clean, result } of tried) {
        assert.deepEqual(result.model.graph?.input, clean.graph?.input, model.name);
        assert.deepEqual(result.model.graph?.output, clean.graph?.output, model.name);
      }
    });

    it('accounts for every node', () => {
      for (const { model, before, result } of tried) {
        const reports = result.reports.slice(-1);
        const named = new Set(
          reports.flatMap((report) => [...report.handled, ...report.skipped.map(({ node }) => node)]),
        );
        const names = new Set(before.graph?.node.map((node) => node.name));
        for (const node of named) assert.ok(names.has(node), `${model.name}: ${node}`);
        for (const { reason } of reports.flatMap((report) => report.skipped))
          assert.match(reason, /^.{8,}[^.]$/);
        for (const node of given.handles[model.name] ?? []) {
          assert.ok(
            reports.some((report) => report.handled.includes(node)),
            `${model.name}: ${node} was not handled`,
          );
        }
      }
    });

    it('makes models that the runtime runs, with outputs near those of the original', async () => {
      const tasks = tried.flatMap(({ model, originalPath, path }) => {
        const feeds = model.feeds(99);
        return [
          { path: originalPath, feeds },
          { path, feeds },
        ];
      });
      const results = await runInRuntime(tasks);
      for (const [index, { model }] of tried.entries()) {
        const [original, compressed] = results.slice(2 * index, 2 * index + 2);
        assert.ok(original !== undefined && compressed !== undefined);
        assertNear(model.name, original, compressed, given.snrDb);
      }
    });
  });
}

/** A model before and after a pass. */
interface Tried {
  readonly model: CompressModel;
  readonly originalPath: string;
  readonly clean: ModelProto;
  readonly cleanBytes: Uint8Array;
  /** What the last of the passes was given. */
  readonly before: ModelProto;
  readonly result: PipelineResult;
  readonly again: PipelineResult;
  readonly path: string;
}

async function tryPass(folder: string, model: CompressModel, given: PassContractCase): Promise<Tried> {
  const originalPath = join(folder, `${model.name}.onnx`);
  const path = join(folder, `${model.name}.compressed.onnx`);
  await writeModel(originalPath, model.model);
  const clean = runPasses(model.model, [cleanInputs(), raiseOpset()], { path: originalPath }).model;
  const cleanBytes = encodeModel(clean);
  const samples = Array.from({ length: OBSERVED_SAMPLES }, (_, seed) => model.feeds(seed));
  const values = await observeValues(clean, join(folder, `${model.name}.observed.onnx`), samples);
  const run = () => runPasses(clean, given.passes(values), { path });
  const before = runPasses(clean, given.passes(values).slice(0, -1), { path }).model;
  const result = run();
  await writeModel(path, result.model);
  return { model, originalPath, clean, cleanBytes, before, result, again: run(), path };
}

function assertNear(name: string, original: RuntimeResult, compressed: RuntimeResult, snrDb: number): void {
  assert.equal(original.error, undefined, name);
  assert.equal(compressed.error, undefined, name);
  for (const [output, expected] of Object.entries(original.outputs ?? {})) {
    const actual = compressed.outputs?.[output];
    assert.ok(actual !== undefined, `${name}: ${output}`);
    assert.deepEqual([actual.type, actual.dims], [expected.type, expected.dims], `${name}: ${output}`);
    const found = signalToNoiseDb(expected, actual);
    assert.ok(found >= snrDb, `${name}: output '${output}' has ${found.toFixed(1)} dB, expected ${snrDb}`);
  }
}

/** How far a tensor is from the one it should be, in dB; infinite where they are equal. */
export function signalToNoiseDb(expected: PlainTensor, actual: PlainTensor): number {
  let signal = 0;
  let noise = 0;
  for (const [index, value] of expected.data.entries()) {
    signal += Number(value) ** 2;
    noise += (Number(value) - Number(actual.data[index])) ** 2;
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}
