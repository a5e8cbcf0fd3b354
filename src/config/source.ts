/**
 * A configuration as it stands in its files: every value knows where it was written. Files become trees of
 * `SourceNode`, the trees are merged, and positions for messages are looked up in the result.
 */

/** A file that settings came from. */
export interface SourceFile {
  /** Its place among the files, in the order they are merged. */
  readonly order: number;
  /** The path as messages show it. */
  readonly shown: string;
  /** Absolute path of its directory, which relative paths in it start from. */
  readonly directory: string;
}

/** A place in a file; line and column count from 1. */
export interface Mark {
  readonly file: SourceFile;
  readonly line: number;
  readonly column: number;
}

/** A value with its place. `size` counts the values in it, itself included, with aliases written out. */
export type SourceNode = SourceMap | SourceList | SourceScalar;

/** A map; keys keep the order of the file. */
export interface SourceMap {
  readonly kind: 'map';
  readonly mark: Mark;
  readonly size: number;
  readonly entries: ReadonlyMap<string, SourceEntry>;
}

/** A key of a map and its value. */
export interface SourceEntry {
  readonly keyMark: Mark;
  readonly node: SourceNode;
}

/** A list. */
export interface SourceList {
  readonly kind: 'list';
  readonly mark: Mark;
  readonly size: number;
  readonly items: readonly SourceNode[];
}

/** A string, number, boolean or null; `text` is how a number is written in the file. */
export interface SourceScalar {
  readonly kind: 'scalar';
  readonly mark: Mark;
  readonly size: 1;
  readonly value: string | number | boolean | null;
  readonly text: string;
}

/** Keys and list indexes that lead to a value. */
export type SettingPath = ReadonlyArray<string | number>;

/** `later` over `earlier`: maps merge by key, everything else is replaced. */
export function mergeSources(earlier: SourceNode, later: SourceNode): SourceNode {
  if (earlier.kind !== 'map' || later.kind !== 'map') return later;
  const entries = new Map(earlier.entries);
  for (const [key, entry] of later.entries) {
    const before = entries.get(key);
    const node = before === undefined ? entry.node : mergeSources(before.node, entry.node);
    entries.set(key, { keyMark: entry.keyMark, node });
  }
  return { ...earlier, entries, size: sizeOf([...entries.values()].map((entry) => entry.node)) };
}

/** The size of a node with these parts. */
export function sizeOf(parts: readonly SourceNode[]): number {
  return parts.reduce((sum, part) => sum + part.size, 1);
}

/** The value at a path, if the files hold one. */
export function findSource(root: SourceNode, path: SettingPath): SourceNode | undefined {
  let node: SourceNode | undefined = root;
  for (const key of path) node = childOf(node, key)?.node;
  return node;
}

/** Where to point for a path: its value, or its key; where the files hold neither, the nearest key above it. */
export function markOf(root: SourceNode, path: SettingPath, prefer: 'key' | 'value'): Mark {
  let mark = root.mark;
  let node: SourceNode | undefined = root;
  for (const [index, key] of path.entries()) {
    const child: SourceEntry | undefined = childOf(node, key);
    if (child === undefined) return mark;
    node = child.node;
    mark = prefer === 'value' && index === path.length - 1 ? node.mark : child.keyMark;
  }
  return mark;
}

function childOf(node: SourceNode | undefined, key: string | number): SourceEntry | undefined {
  if (node?.kind === 'map') return node.entries.get(String(key));
  if (node?.kind !== 'list') return undefined;
  const item = node.items[Number(key)];
  return item === undefined ? undefined : { keyMark: item.mark, node: item };
}

/** Every scalar below a node with its path, in the order of the files. */
export function* scalarsOf(
  node: SourceNode,
  path: SettingPath = [],
): Generator<{ path: SettingPath; scalar: SourceScalar }> {
  if (node.kind === 'scalar') yield { path, scalar: node };
  else if (node.kind === 'map') {
    for (const [key, entry] of node.entries) yield* scalarsOf(entry.node, [...path, key]);
  } else {
    for (const [index, item] of node.items.entries()) yield* scalarsOf(item, [...path, index]);
  }
}
