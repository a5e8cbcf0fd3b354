import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { withFiles } from '../../test/config-files.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { packageRoot } from '../lib/paths.ts';

// The command on its own, with errors rendered as `main.ts` does.
const PROGRAM = `
  import { Command } from 'commander';
  import { registerConfig } from ${JSON.stringify(new URL('./config.js', import.meta.url).href)};
  const program = new Command('selvage');
  registerConfig(program);
  program.parseAsync(process.argv.slice(1), { from: 'user' }).catch((error) => {
    process.stderr.write(error.message);
    process.exitCode = error.exitCode;
  });
`;

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM, '--', ...args], {
    encoding: 'utf8',
    cwd: packageRoot,
    env: { PATH: process.env['PATH'], ...env },
  });
  return { status: child.status, stdout: child.stdout, stderr: child.stderr };
}

const FILES = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
  'selvage.yaml': 'models: { a: { source: a.onnx } }\nserver: { http: { group: "${env:TOKEN}" } }\n',
  'conf.d/10.yaml': 'models: { b: { source: b.onnx } }\n',
};
const SECRET = { TOKEN: 'hunter2' };

describe('selvage config', () => {
  it('check says that a configuration is valid', async () => {
    await withFiles(FILES, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      const plain = run(['config', 'check', '--config', path], SECRET);
      assert.deepEqual(plain, { status: 0, stdout: `${path}: valid (2 files, 2 models)\n`, stderr: '' });
      const json = run(['config', 'check', '--json'], { ...SECRET, SELVAGE_CONFIG: path });
      const files = [path, join(directory, 'conf.d/10.yaml')];
      assert.deepEqual(JSON.parse(json.stdout), { valid: true, files, models: ['a', 'b'] });
    });
  });

  it('check ends with exit code 78 and the problems', async () => {
    await withFiles({ ...FILES, 'conf.d/20.yaml': 'modles: {}\n' }, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      assert.deepEqual(run(['config', 'check', '-c', path], SECRET), {
        status: 78,
        stdout: '',
        stderr: `${directory}/conf.d/20.yaml:1:1: modles: unknown setting; did you mean "models"?`,
      });
      const missing = run(['config', 'check', '-c', join(directory, 'none.yaml')]);
      assert.deepEqual([missing.status, missing.stderr], [78, `no configuration at ${directory}/none.yaml`]);
    });
  });

  it('show prints what is in effect, as YAML and as JSON, without the secrets', async () => {
    await withFiles(FILES, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      const yaml = run(['config', 'show', '--config', path], SECRET);
      const json = run(['config', 'show', '--config', path, '--json'], SECRET);
      assert.deepEqual([yaml.status, json.status, yaml.stderr, json.stderr], [0, 0, '', '']);
      assert.ok(yaml.stdout.startsWith(`# from ${path}\n# from ${directory}/conf.d/10.yaml\n`), yaml.stdout);
      const shown = JSON.parse(json.stdout);
      assert.deepEqual(parse(yaml.stdout), shown);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
      assert.equal(shown.server.http.group, '${env:TOKEN}');
      assert.equal(shown.models.b.source, join(directory, 'conf.d/b.onnx'));
      assert.equal(shown.log.level, 'info');
      assert.ok(!`${yaml.stdout}${json.stdout}`.includes('hunter2'));
    });
  });

  it('schema prints the JSON schema', () => {
    const { status, stdout } = run(['config', 'schema']);
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stdout), configJsonSchema());
  });

  it('has an example in the help of every command', () => {
    for (const command of ['check', 'show', 'schema']) {
      const { status, stdout } = run(['config', command, '--help']);
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`\\$ selvage config ${command}`));
    }
  });
});
