import { rm } from 'node:fs/promises';
import type { GraphProto, ModelProto, ValueInfoProto } from '../../graph/gen/onnx_pb.ts';
import { writeModel } from '../../graph/write-model.ts';
import { SelvageError } from '../../lib/errors.ts';
import { DATATYPES } from '../../tensor/datatype.ts';
import type { MemoryPeak } from './memory-peak.ts';
import { withOutputs } from './observation-model.ts';
import { Session } from './session.ts';
import type { WorkFolder } from './work-folder.ts';

/**
 * Names of the values of the main graph that are FP32 tensors: inputs first, then in the order of the nodes. What the
 * model does not say itself, the runtime infers.
 */
export async function floatValues(
  model: ModelProto,
  work: WorkFolder,
  memory: MemoryPeak,
): Promise<string[]> {
  const { graph } = model;
  if (graph === undefined) return [];
  const given = graph.node.flatMap((node) => node.output.filter((name) => name !== ''));
  const stated = statedTypes(graph);
  const unknown = given.filter((name) => !stated.has(name));
  const inferred = unknown.length === 0 ? stated : await inferredTypes(model, unknown, work, memory);
  const names = [...graph.input.map(({ name }) => name), ...given];
  return names.filter((name) => (stated.get(name) ?? inferred.get(name)) === DATATYPES.FP32.onnx);
}

function statedTypes(graph: GraphProto): Map<string, number> {
  const types = new Map<string, number>();
  for (const value of [...graph.input, ...graph.output, ...graph.valueInfo]) {
    const type = elementType(value);
    if (type !== undefined) types.set(value.name, type);
  }
  return types;
}

function elementType({ type }: ValueInfoProto): number | undefined {
  return type?.value.case === 'tensorType' ? type.value.value.elemType : undefined;
}

/** Types as the runtime sees them when the values are made outputs; none where it refuses that. */
async function inferredTypes(
  model: ModelProto,
  names: readonly string[],
  work: WorkFolder,
  memory: MemoryPeak,
): Promise<Map<string, number>> {
  const path = work.temporary('types.onnx');
  try {
    await writeModel(path, withOutputs(model, names));
    const session = await Session.open(path, memory);
    session.close();
    return new Map(session.signature.outputs.map(({ name, datatype }) => [name, DATATYPES[datatype].onnx]));
  } catch (error) {
    // A value that is no tensor (a sequence, a map) is in the way: what is stated has to do.
    if (error instanceof SelvageError && error.code === 'MODEL_UNSUPPORTED') return new Map();
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}
