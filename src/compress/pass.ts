import { operatorName } from '../graph/describe.ts';
import type { NodeProto } from '../graph/gen/onnx_pb.ts';
import type { Graph } from '../graph/graph.ts';
import type { Condition } from './conditions.ts';

/** A node that a pass left as it was, and why. */
export interface SkippedNode {
  /** The node's name. */
  readonly node: string;
  readonly operator: string;
  /** For people: a phrase without a full stop. */
  readonly reason: string;
}

/** What a pass did: the names of the nodes it changed, and those it left, each with the reason. */
export interface PassReport {
  readonly handled: readonly string[];
  readonly skipped: readonly SkippedNode[];
}

/**
 * One step that turns a model into another of the same inputs and outputs (names, types, shapes). It is a pure function of
 * the graph and the options it was made with: the same ones give the same bytes.
 */
export interface Pass {
  readonly name: string;
  /** What must hold of the model before; refused otherwise. */
  readonly needs: readonly Condition[];
  /** What it changes, for people. */
  readonly changes: string;
  /** What holds of the model afterwards, checked after every run. */
  readonly holds: readonly Condition[];
  /** Edits the graph. */
  readonly edit: (graph: Graph) => PassReport;
}

/** Collects the report of a pass while it goes through the nodes. */
export class ReportBuilder {
  readonly #handled: string[] = [];
  readonly #skipped = new Map<NodeProto, SkippedNode>();

  handle(node: NodeProto): void {
    this.#handled.push(node.name);
  }

  skip(node: NodeProto, reason: string): void {
    this.#skipped.set(node, { node: node.name, operator: operatorName(node), reason });
  }

  report(): PassReport {
    return { handled: this.#handled, skipped: [...this.#skipped.values()] };
  }
}
