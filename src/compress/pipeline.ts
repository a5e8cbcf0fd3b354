import { toJsonString } from '@bufbuild/protobuf';
import { checkModel } from '../graph/check-model.ts';
import type { ModelProto, ValueInfoProto } from '../graph/gen/onnx_pb.ts';
import { ValueInfoProtoSchema } from '../graph/gen/onnx_pb.ts';
import { Graph } from '../graph/graph.ts';
import { SelvageError } from '../lib/errors.ts';
import type { Pass, PassReport } from './pass.ts';

/** What a pass did, with its name. */
export interface NamedReport extends PassReport {
  readonly pass: string;
}

/** A model made by passes, and what each of them did. */
export interface PipelineResult {
  readonly model: ModelProto;
  readonly reports: readonly NamedReport[];
}

/**
 * Runs passes one after the other; the given model is not changed. `path` names the model in messages. After each the
 * model must pass `checkModel`, have the inputs and outputs it had, and fulfil what the pass promises (else INTERNAL: a
 * fault of the pass). Throws MODEL_UNSUPPORTED where the model lacks what a pass needs.
 */
export function runPasses(
  model: ModelProto,
  passes: readonly Pass[],
  { path }: { readonly path: string },
): PipelineResult {
  let current = model;
  const reports: NamedReport[] = [];
  for (const pass of passes) {
    requireNeeds(current, pass, path);
    const graph = new Graph(current);
    const report = pass.edit(graph);
    const edited = graph.toModel();
    verify(current, edited, pass, path);
    current = edited;
    reports.push({ pass: pass.name, ...report });
  }
  return { model: current, reports };
}

function requireNeeds(model: ModelProto, pass: Pass, path: string): void {
  for (const { text, problem } of pass.needs) {
    const found = problem(model);
    if (found === undefined) continue;
    const stated = `${pass.name} needs a model in which ${text}: ${found}`;
    throw SelvageError.of('MODEL_UNSUPPORTED', { path, problem: stated });
  }
}

function verify(before: ModelProto, after: ModelProto, pass: Pass, path: string): void {
  try {
    checkModel(after, { path });
  } catch (thrown) {
    throw fault(pass, `made a broken model: ${thrown instanceof Error ? thrown.message : thrown}`, thrown);
  }
  if (signatureOf(before) !== signatureOf(after))
    throw fault(pass, 'changed the inputs or outputs of the model');
  for (const { text, problem } of pass.holds) {
    const found = problem(after);
    if (found !== undefined) throw fault(pass, `did not see to it that ${text}: ${found}`);
  }
}

/** What a caller sees: the inputs that no initializer provides, and the outputs. */
function signatureOf({ graph }: ModelProto): string {
  const given = new Set(graph?.initializer.map(({ name }) => name));
  const inputs = (graph?.input ?? []).filter(({ name }) => !given.has(name));
  return [...inputs.map(describe), '→', ...(graph?.output ?? []).map(describe)].join('\n');
}

function describe(value: ValueInfoProto): string {
  return toJsonString(ValueInfoProtoSchema, value);
}

function fault(pass: Pass, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('INTERNAL', { reason: `compression pass ${pass.name} ${problem}` }, cause);
}
