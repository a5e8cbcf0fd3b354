import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { loadError, loadFiles, withFiles } from '../../test/config-files.ts';
import { SelvageError } from '../lib/errors.ts';
import { loadConfig, loadWith } from './load.ts';

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: references
const group = (text: string): string => `server: { http: { group: "${text}" } }\n`;

describe('references to secrets', () => {
  it('takes them from the environment, files and credentials, whole or as part of a text', async () => {
    await withFiles(
      {
        'selvage.yaml':
          'stateDir: /state/${env:A}-${env:B}\nserver: { http: { group: "${file:secret}", mode: "${credential:mode}" } }\n',
        'conf.d/10.yaml': 'models: { a: { source: "/${file:secret}.onnx" } }\n',
        secret: 'main-file-secret\n',
        'conf.d/secret': 'conf-d-secret\r\n',
        'credentials/mode': '0600',
      },
      async (directory) => {
        const { config, shown, secrets } = await loadConfig(join(directory, 'selvage.yaml'), {
          env: { A: 'aaa', B: 'bbb' },
          credentialsDir: join(directory, 'credentials'),
        });
        assert.equal(config.stateDir, '/state/aaa-bbb');
        assert.equal(config.server.http.group, 'main-file-secret');
        assert.equal(config.server.http.mode, '0600');
        assert.equal(config.models['a']?.source, '/conf-d-secret.onnx');
        assert.deepEqual([...secrets].sort(), ['0600', 'aaa', 'bbb', 'conf-d-secret', 'main-file-secret']);
        const text = JSON.stringify(shown);
        for (const secret of secrets) assert.ok(!text.includes(secret), secret);
        assert.ok(text.includes('"stateDir":"/state/${env:A}-${env:B}"'), text);
        assert.ok(text.includes(`"source":"/\${file:${directory}/conf.d/secret}.onnx"`), text);
        assert.ok(text.includes('"mode":"${credential:mode}"'), text);
      },
    );
  });

  it('finds the credentials of the unit', async () => {
    await withFiles({ 'selvage.yaml': group('${credential:g}'), 'c/g': 'staff' }, async (directory) => {
      const env = { CREDENTIALS_DIRECTORY: join(directory, 'c') };
      const { config } = await loadConfig(join(directory, 'selvage.yaml'), { env });
      assert.equal(config.server.http.group, 'staff');
    });
  });

  it('takes off one line break at the end of a file, no more', async () => {
    const { config } = await loadFiles({
      'selvage.yaml': group('${file:s}'),
      s: ' two \n\n',
    });
    assert.equal(config.server.http.group, ' two \n');
  });

  it('writes ${ as $${', async () => {
    const { config, shown, secrets } = await loadFiles({ 'selvage.yaml': group('$${env:HOME}') });
    assert.equal(config.server.http.group, '${env:HOME}');
    assert.deepEqual((shown as typeof config).server.http.group, '$${env:HOME}');
    assert.deepEqual(secrets, []);
  });

  it('does not look for references in what references give', async () => {
    const { config } = await loadFiles({ 'selvage.yaml': group('${env:A}') }, { env: { A: '${env:B}' } });
    assert.equal(config.server.http.group, '${env:B}');
  });

  it('reads only what is left after merging', async () => {
    const { config } = await loadFiles({
      'selvage.yaml': group('${env:MISSING}'),
      'conf.d/10.yaml': group('staff'),
    });
    assert.equal(config.server.http.group, 'staff');
  });

  it('resolves relative paths that begin with a reference', async () => {
    await withFiles({ 'selvage.yaml': 'stateDir: ${env:A}/s\n' }, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      const relative = await loadConfig(path, { env: { A: 'a' } });
      assert.equal(relative.config.stateDir, join(directory, 'a/s'));
      assert.deepEqual((relative.shown as { stateDir: string }).stateDir, `${directory}/\${env:A}/s`);
      const absolute = await loadConfig(path, { env: { A: '/a' } });
      assert.deepEqual((absolute.shown as { stateDir: string }).stateDir, '${env:A}/s');
    });
  });

  it('takes no word of a closed list for a secret', async () => {
    const { config, shown, secrets } = await loadFiles(
      { 'selvage.yaml': 'log: { level: "${env:LEVEL}" }\n' },
      { env: { LEVEL: 'warn' } },
    );
    assert.equal(config.log.level, 'warn');
    assert.equal((shown as typeof config).log.level, '${env:LEVEL}');
    assert.deepEqual(secrets, []);
  });

  it('names every reference that cannot be resolved, with its place', async () => {
    const error = await loadError(
      {
        'selvage.yaml':
          'stateDir: ${env:NONE}\nserver:\n  http:\n    group: ${env:EMPTY} and ${file:none}\n    mode: "${credential:none}"\nmodels:\n  a: { source: "${file:binary}" }\n  b: { source: "${file:large}" }\n  c: { source: "${file:folder}" }\n',
        'folder/x': '',
        binary: Buffer.from([0xff]),
        large: 'x'.repeat(64 * 1024 + 1),
      },
      { env: { EMPTY: '' } },
    );
    assert.equal(error.code, 'CONFIG_SECRET');
    assert.equal(error.exitCode, 78);
    assert.deepEqual(error.message.split('\n'), [
      'selvage.yaml:1:11: stateDir: ${env:NONE} cannot be resolved: the environment variable is not set',
      'selvage.yaml:4:12: server.http.group: ${env:EMPTY} cannot be resolved: it is empty',
      'selvage.yaml:4:12: server.http.group: ${file:none} cannot be resolved: there is no file none',
      'selvage.yaml:5:11: server.http.mode: ${credential:none} cannot be resolved: CREDENTIALS_DIRECTORY is not set',
      'selvage.yaml:7:16: models.a.source: ${file:binary} cannot be resolved: expected UTF-8 text, found other bytes',
      'selvage.yaml:8:16: models.b.source: ${file:large} cannot be resolved: expected at most 65536 bytes, found more',
      'selvage.yaml:9:16: models.c.source: ${file:folder} cannot be resolved: expected a file, found a directory',
    ]);
  });

  it('refuses what is no reference and names that leave the directory', async () => {
    const expected =
      'expected ${env:NAME}, ${file:PATH} or ${credential:NAME} where ${ stands; write $${ for the characters themselves';
    for (const text of [
      '${HOME}',
      '${',
      '${}',
      '${env:}',
      '${env:A B}',
      '${env:A',
      '${vault:x}',
      '${credential:../passwd}',
      '${credential:..}',
      '${env:${env:A}}',
    ]) {
      const error = await loadError({ 'selvage.yaml': group(text) }, { env: { A: 'a' } });
      assert.equal(error.message, `selvage.yaml:1:26: server.http.group: ${expected}`, text);
      assert.equal(error.code, 'CONFIG_INVALID');
    }
  });

  it('shows no secret in what it finds wrong', async () => {
    const error = await loadError(
      {
        'selvage.yaml':
          'log: { level: "${env:S}" }\nschedule: { retention: "${env:S}" }\nmodels: { a: { source: a, threads: "${env:S}", version: "${env:S}!" } }\nserver: { http: { limits: "${env:S}" } }\n',
      },
      { env: { S: 'hunter2' } },
    );
    assert.deepEqual(error.message.split('\n'), [
      'selvage.yaml:1:15: log.level: expected "trace", "debug", "info", "warn", "error" or "silent", received string (not shown)',
      'selvage.yaml:3:36: models.a.threads: expected number, received string (not shown)',
      'selvage.yaml:3:57: models.a.version: expected letters, digits, ".", "_" and "-", received string (not shown)',
      'selvage.yaml:4:27: server.http.limits: expected map, received string (not shown)',
    ]);
    const cron = await loadError(
      { 'selvage.yaml': 'schedule: { retention: "${env:S}" }\n' },
      { env: { S: 'hunter2' } },
    );
    assert.equal(
      cron.message,
      'selvage.yaml:1:24: schedule.retention: expected a cron expression such as "17 3 * * *", received string (not shown)',
    );
  });

  it('bounds what references grow to', async () => {
    const env = { S: 's'.repeat(60_000) };
    const long = await loadError({ 'selvage.yaml': group('${env:S}'.repeat(80)) }, { env });
    assert.match(long.message, /group: expected at most 4194304 characters with secrets filled in$/);
    const many = Array.from({ length: 257 }, (_, i) => `  m${i}: { source: "\${env:E${i}}" }\n`).join('');
    const filled = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`E${i}`, 'x']));
    const error = await loadError({ 'selvage.yaml': `models:\n${many}` }, { env: filled });
    assert.match(
      error.message,
      /m256\.source: \$\{env:E256\} cannot be resolved: there are more than 256 references$/,
    );
  });
});

describe('a setting of kind secret', () => {
  const schema = z.strictObject({
    token: z.string().min(8).meta({ 'x-kind': 'secret' }),
    other: z.string().optional(),
  });

  it('is never shown, even where it stands in the file', async () => {
    await withFiles({ 'selvage.yaml': 'token: hunter2-long\nother: x\n' }, async (directory) => {
      const loaded = await loadWith(schema, join(directory, 'selvage.yaml'), { env: {} });
      assert.deepEqual(loaded.config, { token: 'hunter2-long', other: 'x' });
      assert.deepEqual(loaded.shown, { token: '(secret)', other: 'x' });
      assert.deepEqual(loaded.secrets, ['hunter2-long']);
    });
  });

  it('is not shown in messages', async () => {
    for (const [text, message] of [
      ['token: hunter2\n', '1:8: token: expected at least 8 characters, received string (not shown)'],
      ['token: 12345678\n', '1:8: token: expected string, received number (not shown)'],
      ['token: 12345678\ntoken: 1\n', '1:8: token: expected string, received number (not shown)'],
    ] as const) {
      await withFiles({ 'selvage.yaml': text }, async (directory) => {
        const path = join(directory, 'selvage.yaml');
        await assert.rejects(loadWith(schema, path, { env: {} }), (error) => {
          assert.ok(error instanceof SelvageError);
          assert.equal(error.message.split('\n')[0], `${path}:${message}`);
          return true;
        });
      });
    }
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: references
