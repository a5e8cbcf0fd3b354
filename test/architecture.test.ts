import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../src/lib/paths.ts';

/** Layer by the longest matching prefix below `src/`; the table of docs/architecture.md. */
const LAYERS: ReadonlyArray<readonly [prefix: string, layer: number]> = [
  ['main.ts', 9],
  ['cli/', 8],
  ['agent.ts', 7],
  ['agent/', 7],
  ['server/', 6],
  ['fleet/', 6],
  ['protocol/', 5],
  ['serving/', 4],
  ['catalogue/', 4],
  ['compress/', 3],
  ['runtime/', 3],
  ['tasks/', 3],
  ['graph/', 2],
  ['hardware/', 2],
  ['store/', 2],
  ['config/', 1],
  ['tensor/', 1],
  ['metrics.ts', 1],
  ['lib/', 0],
];

/** Packages that only these files may import: they load native code, which must not run in the agent. */
const ONLY_IN: Record<string, readonly string[]> = {
  'onnxruntime-node': ['runtime/runner-main.ts'],
  // The check of `doctor` imports it in a script for a child.
  sharp: ['tasks/image/decode-image.ts', 'cli/doctor-checks/native-modules.ts'],
};

const source = join(packageRoot, 'src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
);

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), 'utf8');
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'|import\('([^']+)'\)/g;
  return [...text.matchAll(pattern)].map((match) => ({
    target: match[2] ?? match[3] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

function localTarget(file: string, target: string): string | undefined {
  return target.startsWith('.') ? relative(source, join(source, dirname(file), target)) : undefined;
}

function layerOf(file: string): number {
  const found = LAYERS.find(([prefix]) => file === prefix || file.startsWith(prefix));
  assert.ok(found, `src/${file} is in no layer: add its folder to the table`);
  return found[1];
}

/** The first folder; a file directly in src belongs to the folder of its name (`agent.ts` to `agent/`). */
function folderOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '');
}

describe('architecture', () => {
  it('every file imports only from its own folder or from a lower layer', () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const { target } of importsOf(file)) {
        const local = localTarget(file, target);
        if (local === undefined || folderOf(local) === folderOf(file)) continue;
        if (layerOf(local) >= layerOf(file)) wrong.push(`src/${file} imports src/${local}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('has no import cycles', () => {
    const graph = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((one) => !one.typeOnly)
          .flatMap(({ target }) => localTarget(file, target) ?? []),
      ]),
    );
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      assert.ok(!path.includes(file), `import cycle: ${[...path, file].join(' → ')}`);
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('loads native libraries in child processes only', () => {
    for (const file of files) {
      for (const { target } of importsOf(file)) {
        const only = ONLY_IN[target];
        if (only !== undefined) assert.ok(only.includes(file), `src/${file} may not import ${target}`);
      }
    }
  });
});
