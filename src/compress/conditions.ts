import { describeNode } from '../graph/describe.ts';
import { isExternal } from '../graph/external-data.ts';
import type { ModelProto } from '../graph/gen/onnx_pb.ts';
import { allTensors } from '../graph/walk.ts';

/** Something that holds of a model or does not. */
export interface Condition {
  /** What holds, for people. */
  readonly text: string;
  /** What speaks against it; undefined where it holds. */
  readonly problem: (model: ModelProto) => string | undefined;
}

/** All tensors lie in the model itself (see `inlineExternalData`). */
export const DATA_INSIDE: Condition = {
  text: 'all weights lie in the model itself',
  problem(model) {
    for (const tensor of allTensors(model)) if (isExternal(tensor)) return `those of '${tensor.name}' do not`;
    return undefined;
  },
};

/** No initializer of the main graph is listed as an input, which would let callers replace it. */
export const WEIGHTS_ARE_NO_INPUTS: Condition = {
  text: 'no initializer is listed as an input',
  problem({ graph }) {
    const inputs = new Set(graph?.input.map(({ name }) => name));
    const found = graph?.initializer.find(({ name }) => inputs.has(name));
    return found === undefined ? undefined : `'${found.name}' is`;
  },
};

/** Every node of the main graph can be told by its name. */
export const NODES_HAVE_NAMES: Condition = {
  text: 'every node has a name of its own',
  problem({ graph }) {
    const names = new Set<string>();
    for (const [index, node] of (graph?.node ?? []).entries()) {
      if (node.name === '') return `${describeNode(node, index)} has none`;
      if (names.has(node.name)) return `${describeNode(node, index)} shares its own`;
      names.add(node.name);
    }
    return undefined;
  },
};

/** What `cleanInputs` provides and every other pass builds on. */
export const CLEAN: readonly Condition[] = [DATA_INSIDE, WEIGHTS_ARE_NO_INPUTS, NODES_HAVE_NAMES];
