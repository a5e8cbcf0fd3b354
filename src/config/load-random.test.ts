import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { withFiles } from '../../test/config-files.ts';
import { SelvageError } from '../lib/errors.ts';
import { seededRandom } from '../lib/random.ts';
import { type LoadedConfig, loadConfig } from './load.ts';

const SECRET = 'hunter2-very-secret';
const ENV = { TOKEN: SECRET, PART: 'p' };

// Texts that YAML or the syntax of references could take for something else.
// biome-ignore-start lint/suspicious/noTemplateCurlyInString: references
const TEXTS: readonly [string, ...string[]] = [
  'plain',
  'with space',
  ' around ',
  '0660',
  'true',
  'null',
  '~',
  '1e3',
  '# no comment',
  'a: b',
  '- a',
  '? a',
  '[x',
  '*a',
  '&a',
  '!a',
  '%a',
  '@a',
  "it's",
  '"quoted"',
  'two\nlines',
  'tab\there',
  'back\\slash',
  'é 👍 \u0085 \u2028',
  '${env:TOKEN}',
  'a${env:PART}b${env:TOKEN}',
  '$${env:TOKEN}',
  '$$$${x',
  'a$',
  '${env:PART}/$${',
];
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: references

type Plain = Record<string, unknown>;

interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
}

function randomFrom(seed: number): Random {
  const next = seededRandom(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: (values) => values[below(values.length)] ?? values[0] };
}

function randomConfig(random: Random): Plain {
  const text = (): string => random.pick(TEXTS);
  const sometimes = (make: () => Plain): Plain => (random.below(2) === 0 ? make() : {});
  const task = (): Plain => ({
    task: {
      type: 'image-classification',
      ...sometimes(() => ({ size: random.pick([1, 28, [3, 8192]]) })),
      ...sometimes(() => ({ labels: random.pick<unknown>([text(), [text(), text()]]) })),
      ...sometimes(() => ({ channels: random.pick(['rgb', 'gray']), mean: [random.below(255) / 7] })),
      ...sometimes(() => ({ cropFraction: (random.below(100) + 1) / 100 })),
    },
  });
  const model = (): Plain => ({
    ...random.pick<Plain>([
      { source: text() },
      { variants: { a: { source: text() }, 'b.1': { source: text(), threads: random.below(64) + 1 } } },
    ]),
    ...sometimes(task),
    ...sometimes(() => ({ version: random.pick(['1', '1e3', 'true', 'v1.0-rc_2']) })),
    ...sometimes(() => ({ batch: { maxSize: random.below(1024) + 1 } })),
    ...sometimes(() => ({ load: random.pick([true, false]) })),
  });
  const names = ['a', 'yolo.v5', '1', 'true', 'null', 'constructor', 'toString'];
  const chosen = names.filter(() => random.below(3) === 0);
  return {
    ...sometimes(() => ({ stateDir: text() })),
    ...sometimes(() => ({ models: Object.fromEntries(chosen.map((name) => [name, model()])) })),
    ...sometimes(() => ({ log: { level: random.pick(['warn', 'error']) } })),
    ...sometimes(() => ({ server: { http: { mode: '0600', group: text(), tcp: {} } } })),
    ...sometimes(() => ({ requestLog: { maxAgeDays: (random.below(1000) + 1) / 8 } })),
    ...sometimes(() => ({ schedule: { retention: random.pick(['@daily', '*/5 * * * *', '0 0 4 * * 1']) } })),
  };
}

describe('loadConfig on random input', () => {
  it('shows what, loaded again, is the same', async () => {
    await withFiles({}, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      const load = (text: string): Promise<LoadedConfig> => {
        writeFileSync(path, text);
        return loadConfig(path, { env: ENV });
      };
      for (let seed = 0; seed < 150; seed++) {
        const given = stringify(randomConfig(randomFrom(seed)));
        const first = await load(given);
        const second = await load(stringify(first.shown));
        assert.deepEqual(second.config, first.config, given);
        assert.deepEqual(second.shown, first.shown, given);
        assert.deepEqual(second.secrets, first.secrets, given);
        assert.ok(!JSON.stringify(first.shown).includes(SECRET), given);
      }
    });
  });

  it('answers damaged files with an error of the table that shows no secret', async () => {
    const valid = Buffer.from(
      `models:\n  a: &a { source: a.onnx, task: { type: image-classification, size: [1, 2], labels: "\${env:TOKEN}" } }\n  b: *a\n  c:\n    variants:\n      x: { source: '\${env:TOKEN}/c' }\nserver:\n  http:\n    group: "\${env:TOKEN}"\n    mode: "0660"\n  # comment\n  admin: { socket: |-\n  }\nlog:\n  - \${env:TOKEN}\n`,
    );
    let errors = 0;
    await withFiles({}, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      for (let seed = 0; seed < 400; seed++) {
        const bytes = damage(valid, randomFrom(seed));
        writeFileSync(path, bytes);
        try {
          await loadConfig(path, { env: ENV });
        } catch (error) {
          assert.ok(
            error instanceof SelvageError,
            `${bytes}\n${error instanceof Error ? error.stack : error}`,
          );
          assert.match(error.code, /^CONFIG_(INVALID|SECRET)$/);
          assert.ok(!`${error.message} ${error.hint}`.includes(SECRET), `${bytes}`);
          assert.ok(error.message.split('\n').length <= 21, `${bytes}`);
          errors += 1;
        }
      }
    });
    assert.ok(errors > 200, `only ${errors} of the damaged files were refused`);
  });
});

const FRAGMENTS: readonly [string, ...string[]] = [
  '[',
  '{',
  ']',
  '}',
  '"',
  "'",
  ': ',
  '- ',
  '\n',
  '\t',
  '&a ',
  '*a',
  '!!',
  '${',
  '|\n',
  '%',
  '---\n',
  '? ',
  '\0',
  '\u00ff',
];

function damage(valid: Buffer, random: Random): Buffer {
  const cut = random.below(valid.length);
  switch (random.below(5)) {
    case 0:
      return valid.subarray(0, cut);
    case 1:
      return Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
    case 2:
      return Buffer.from(Array.from({ length: random.below(200) }, () => random.pick(FRAGMENTS)).join(''));
    case 3: {
      const bytes = Buffer.from(valid);
      for (let flips = random.below(5) + 1; flips > 0; flips--) {
        bytes[random.below(bytes.length)] = random.pick([random.below(256), 32 + random.below(96)]);
      }
      return bytes;
    }
    default:
      return Buffer.concat([
        valid.subarray(0, cut),
        Buffer.from(random.pick(FRAGMENTS)),
        valid.subarray(cut),
      ]);
  }
}
