import { create } from '@bufbuild/protobuf';
import { buildNode, type NodeSpec } from './build-model.ts';
import { capturedNames } from './captured-names.ts';
import { constantTensor } from './constant-node.ts';
import { copyMessage } from './copy-message.ts';
import { isDefaultDomain } from './describe.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
  type ValueInfoProto,
} from './gen/onnx_pb.ts';
import { floatsOf, integersOf } from './tensor-data.ts';
import { topologicalOrder } from './topological-order.ts';
import { allNodes, nodesWithin } from './walk.ts';

/**
 * The main graph of a model, to be edited: who gives and who takes each value is known at any time. Bodies of If,
 * Loop and Scan are left alone; what they take from the graph counts as used. The given model is not changed; tensors
 * are shared with it and never written to. The model must have passed `checkModel`.
 */
export class Graph {
  readonly #model: ModelProto;
  readonly #nodes: Set<NodeProto>;
  readonly #initializers: Map<string, TensorProto>;
  readonly #producers = new Map<string, NodeProto>();
  readonly #consumers = new Map<string, Set<NodeProto>>();
  readonly #captures = new Map<string, Set<NodeProto>>();
  readonly #names = new Set<string>();
  readonly #nodeNames = new Set<string>();
  #inputs: readonly ValueInfoProto[];
  readonly #outputNames: ReadonlySet<string>;

  constructor(model: ModelProto) {
    const graph = model.graph ?? create(GraphProtoSchema);
    this.#model = copyMessage(model);
    this.#model.graph = copyMessage(graph);
    this.#model.opsetImport = [...model.opsetImport];
    this.#initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.#inputs = graph.input;
    this.#outputNames = new Set(graph.output.map(({ name }) => name));
    for (const { name } of [...graph.input, ...graph.initializer]) this.#names.add(name);
    for (const { values } of graph.sparseInitializer) this.#names.add(values?.name ?? '');
    this.#nodes = new Set();
    for (const node of graph.node) {
      const copy = copyMessage(node);
      copy.input = [...node.input];
      copy.output = [...node.output];
      this.#insert(copy);
    }
    // A new name must not hide a name inside a body either.
    for (const node of nodesWithin(graph))
      for (const name of [...node.input, ...node.output]) this.#names.add(name);
  }

  /** The nodes, in no particular order after edits; a snapshot, so that it can be edited while going through it. */
  get nodes(): readonly NodeProto[] {
    return [...this.#nodes];
  }

  /** The nodes in an order in which each comes after those whose values it takes. */
  sorted(): NodeProto[] {
    const nodes = this.nodes;
    const places = new Map(nodes.map((node, index) => [node, index]));
    const needs = nodes.map((node) =>
      [...node.input, ...capturedNames(node)].flatMap((name) => {
        const producer = this.#producers.get(name);
        return producer === undefined ? [] : (places.get(producer) ?? []);
      }),
    );
    return topologicalOrder(needs).flatMap((index) => nodes[index] ?? []);
  }

  get inputs(): readonly ValueInfoProto[] {
    return this.#inputs;
  }

  get outputs(): readonly ValueInfoProto[] {
    return this.#model.graph?.output ?? [];
  }

  get irVersion(): bigint {
    return this.#model.irVersion;
  }

  set irVersion(version: bigint) {
    this.#model.irVersion = version;
  }

  /** The node that gives a value; undefined for inputs, initializers and unknown names. */
  producer(name: string): NodeProto | undefined {
    return this.#producers.get(name);
  }

  /** The nodes that take a value as an input, each once; those whose bodies take it are not among them. */
  consumers(name: string): readonly NodeProto[] {
    return [...(this.#consumers.get(name) ?? [])];
  }

  /** Whether a value is an output of the model or taken by a body, so that it must keep its name and meaning. */
  isPinned(name: string): boolean {
    return this.#outputNames.has(name) || this.#captures.has(name);
  }

  /** The only node that takes a value; undefined where there are others, or it is pinned. */
  soleConsumer(name: string): NodeProto | undefined {
    const users = this.#consumers.get(name);
    if (users?.size !== 1 || this.isPinned(name)) return undefined;
    const [user] = users;
    return user?.input.filter((input) => input === name).length === 1 ? user : undefined;
  }

  /** The constant with this name: an initializer, or what a Constant node holds. */
  constant(name: string): TensorProto | undefined {
    const stored = this.#initializers.get(name);
    if (stored !== undefined) return stored;
    const producer = this.#producers.get(name);
    return producer === undefined ? undefined : constantTensor(producer);
  }

  /** A copy of the elements of an FP32 constant; undefined where the name is none. */
  floats(name: string): Float32Array | undefined {
    const constant = this.constant(name);
    return constant === undefined ? undefined : floatsOf(constant);
  }

  /** The elements of an integer constant; undefined where the name is none. */
  integers(name: string): number[] | undefined {
    const constant = this.constant(name);
    return constant === undefined ? undefined : integersOf(constant);
  }

  get initializers(): readonly TensorProto[] {
    return [...this.#initializers.values()];
  }

  /** Adds an initializer, or puts it in the place of the one with its name; returns its name. */
  setInitializer(tensor: TensorProto): string {
    this.#initializers.set(tensor.name, tensor);
    this.#names.add(tensor.name);
    return tensor.name;
  }

  /** Removes an initializer; a node must give its name from now on. */
  removeInitializer(name: string): void {
    this.#initializers.delete(name);
  }

  /** A value name that nothing in the model has yet: `base`, or `base` with a number. It counts as taken from now on. */
  fresh(base: string): string {
    return takeFresh(this.#names, base);
  }

  /** Adds a node; one without a name gets a fresh one made of its first output's. */
  add(spec: NodeSpec): NodeProto {
    const node = buildNode(spec);
    if (node.name === '') node.name = takeFresh(this.#nodeNames, `${spec.outputs[0] ?? ''}_${spec.op}`);
    this.#insert(node);
    return node;
  }

  /** Removes a node; what takes its outputs must be given another source before the model is read again. */
  remove(node: NodeProto): void {
    this.#nodes.delete(node);
    for (const name of node.output) this.#producers.delete(name);
    for (const name of node.input) drop(this.#consumers, name, node);
    for (const name of capturedNames(node)) drop(this.#captures, name, node);
  }

  /** Has a node take another value; adds inputs up to `index` (empty names: not given) where it has fewer. */
  setInput(node: NodeProto, index: number, name: string): void {
    const before = node.input[index] ?? '';
    while (node.input.length < index) node.input.push('');
    node.input[index] = name;
    if (before !== '' && !node.input.includes(before)) drop(this.#consumers, before, node);
    if (name !== '') put(this.#consumers, name, node);
  }

  /** Has a node give a value under another name; whoever takes the old name is left as it is. */
  setOutput(node: NodeProto, index: number, name: string): void {
    const before = node.output[index];
    if (before !== undefined && this.#producers.get(before) === node) this.#producers.delete(before);
    node.output[index] = name;
    this.#producers.set(name, node);
    this.#names.add(name);
  }

  /** Sets a node's name; an empty one, or one that another node has, is made a unique one of it. */
  nameNode(node: NodeProto, name: string): void {
    node.name = takeFresh(this.#nodeNames, name === '' ? node.opType : name);
  }

  /** The version of an operator set that the model imports, 0 where it does not. ONNX's own domain is ''. */
  opset(domain = ''): number {
    const found = this.#model.opsetImport.find((one) => sameDomain(one.domain, domain));
    return Number(found?.version ?? 0n);
  }

  /** Imports an operator set where the model does not import one of that domain yet. */
  requireOpset(domain: string, version: number): void {
    if (this.opset(domain) > 0) return;
    this.#model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }));
  }

  /** Sets the version of an operator set, whatever it was. */
  setOpset(domain: string, version: number): void {
    const others = this.#model.opsetImport.filter((one) => !sameDomain(one.domain, domain));
    this.#model.opsetImport = [
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ...others,
    ];
  }

  /** Drops the operator sets of which no node, in bodies neither, and no function is; ONNX's own stays. */
  dropUnusedOpsets(): void {
    const used = new Set(this.#model.functions.map(({ domain }) => domain));
    for (const node of allNodes(this.toModel())) used.add(node.domain);
    this.#model.opsetImport = this.#model.opsetImport.filter(
      ({ domain }) => isDefaultDomain(domain) || used.has(domain),
    );
  }

  /** Keeps only the graph inputs that are wanted. */
  filterInputs(wanted: (name: string) => boolean): void {
    this.#inputs = this.#inputs.filter(({ name }) => wanted(name));
  }

  /** Removes the nodes that lead to no output, then the initializers that nothing uses. */
  removeDead(): void {
    const isUsed = (name: string) => this.isPinned(name) || this.#consumers.has(name);
    const waiting = this.nodes.toReversed();
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (!this.#nodes.has(node) || node.output.some(isUsed)) continue;
      const sources = [...node.input, ...capturedNames(node)];
      this.remove(node);
      for (const name of sources) {
        const producer = this.#producers.get(name);
        if (producer !== undefined) waiting.push(producer);
      }
    }
    for (const name of this.#initializers.keys()) if (!isUsed(name)) this.#initializers.delete(name);
  }

  /** The edited model: nodes in topological order, dead ones and descriptions of values that are gone left out. */
  toModel(): ModelProto {
    this.removeDead();
    const result = copyMessage(this.#model);
    const graph = copyMessage(this.#model.graph ?? create(GraphProtoSchema));
    graph.node = this.sorted();
    graph.input = [...this.#inputs];
    graph.initializer = this.initializers.slice();
    const known = new Set([...this.#producers.keys(), ...graph.input.map(({ name }) => name)]);
    graph.valueInfo = graph.valueInfo.filter(({ name }) => known.has(name));
    result.graph = graph;
    return result;
  }

  #insert(node: NodeProto): void {
    this.#nodes.add(node);
    if (node.name !== '') this.#nodeNames.add(node.name);
    for (const name of node.output) {
      if (name === '') continue;
      this.#producers.set(name, node);
      this.#names.add(name);
    }
    for (const name of node.input) if (name !== '') put(this.#consumers, name, node);
    for (const name of capturedNames(node)) put(this.#captures, name, node);
  }
}

function sameDomain(a: string, b: string): boolean {
  return a === b || (isDefaultDomain(a) && isDefaultDomain(b));
}

function takeFresh(taken: Set<string>, base: string): string {
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}_${count}`;
  taken.add(name);
  return name;
}

function put(users: Map<string, Set<NodeProto>>, name: string, node: NodeProto): void {
  const known = users.get(name);
  if (known === undefined) users.set(name, new Set([node]));
  else known.add(node);
}

function drop(users: Map<string, Set<NodeProto>>, name: string, node: NodeProto): void {
  const known = users.get(name);
  known?.delete(node);
  if (known?.size === 0) users.delete(name);
}
