import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { type Files, loadError, withFiles } from '../../test/config-files.ts';
import { loadConfig } from './load.ts';

const MODEL = 'models:\n  clothes:\n    source: a.onnx\n';

interface Case {
  readonly name: string;
  /** The main file, or all files by name. */
  readonly files: string | Buffer | Files;
  readonly message: string | readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'a wrong type',
    files: 'models:\n  clothes:\n    source: models/a.onnx\n    batch:\n      maxSize: "8"\n',
    message: 'selvage.yaml:5:16: models.clothes.batch.maxSize: expected number, received string "8"',
  },
  {
    name: 'a number where text is expected, shown as it is written',
    files: 'server:\n  http:\n    mode: 0660\n',
    message: 'selvage.yaml:3:11: server.http.mode: expected string, received number 0660; put it in quotes',
  },
  {
    name: 'a fraction where an integer is expected',
    files: 'media: { maxPixels: 1.5 }\n',
    message: 'selvage.yaml:1:21: media.maxPixels: expected integer, received number 1.5',
  },
  {
    name: 'infinity',
    files: 'requestLog: { maxAgeDays: .inf }\n',
    message: 'selvage.yaml:1:27: requestLog.maxAgeDays: expected number, received number .inf',
  },
  {
    name: 'a scalar where a map is expected',
    files: 'server: yes\n',
    message: 'selvage.yaml:1:9: server: expected map, received string "yes"',
  },
  {
    name: 'a list where a map is expected',
    files: 'models:\n  - source: a.onnx\n',
    message: 'selvage.yaml:2:3: models: expected map, received list',
  },
  {
    name: 'too small and too big',
    files: `${MODEL}    threads: 0\n    queue: 70000\n`,
    message: [
      'selvage.yaml:4:14: models.clothes.threads: expected at least 1, received number 0',
      'selvage.yaml:5:12: models.clothes.queue: expected at most 65536, received number 70000',
    ],
  },
  {
    name: 'an empty list and an empty text',
    files: 'models:\n  a: { source: "", task: { type: image-classification, mean: [] } }\n',
    message: [
      'selvage.yaml:2:16: models.a.source: expected at least 1 character, received string ""',
      'selvage.yaml:2:62: models.a.task.mean: expected at least 1 item, received list of 0',
    ],
  },
  {
    name: 'a word that is not one of those allowed',
    files: 'log:\n  level: wran\n',
    message:
      'selvage.yaml:2:10: log.level: expected "trace", "debug", "info", "warn", "error" or "silent", received string "wran"; did you mean "warn"?',
  },
  {
    name: 'unknown keys, with the name that was meant',
    files: `stateDri: /x\n${MODEL}    batch: { max_size: 2 }\n    colour: red\n`,
    message: [
      'selvage.yaml:1:1: stateDri: unknown setting; did you mean "stateDir"?',
      'selvage.yaml:5:14: models.clothes.batch.max_size: unknown setting; did you mean "maxSize"?',
      'selvage.yaml:6:5: models.clothes.colour: unknown setting; known here are source, variants, version, task, threads, timeoutMs, loadTimeoutMs, queue, batch, load',
    ],
  },
  {
    name: 'an unknown key without a value',
    files: 'colour:\n',
    message:
      'selvage.yaml:1:1: colour: unknown setting; known here are stateDir, server, models, requestLog, schedule, media, log',
  },
  {
    name: 'a duplicate key, beside other problems',
    files: 'stateDir: a\nlog: { level: 1 }\nstateDir: b\n',
    message: [
      'selvage.yaml:2:15: log.level: expected "trace", "debug", "info", "warn", "error" or "silent", received number 1',
      'selvage.yaml:3:1: stateDir: duplicate key, first given at 1:1',
    ],
  },
  {
    name: '__proto__ as a key',
    files: '__proto__: { stateDir: /x }\n',
    message: 'selvage.yaml:1:1: __proto__: this name is not allowed',
  },
  {
    name: 'a key with control characters',
    files: '"a\\e[31m\\n": 1\n',
    message:
      'selvage.yaml:1:1: ["a\\u001b[31m\\n"]: unknown setting; known here are stateDir, server, models, requestLog, schedule, media, log',
  },
  {
    name: 'a wrong name of a model',
    files: 'models:\n  -a: { source: a.onnx }\n',
    message: 'selvage.yaml:2:3: models.-a: expected a model name of letters, digits, ".", "_" and "-"',
  },
  {
    name: 'a model without a file, and one with two kinds',
    files: 'models:\n  a: {}\n  b:\n    source: b.onnx\n    variants: { x: { source: b.onnx } }\n',
    message: [
      'selvage.yaml:2:6: models.a: expected `source` or `variants`, received neither',
      'selvage.yaml:5:15: models.b.variants: expected `source` or `variants`, received both',
    ],
  },
  {
    name: 'a missing setting',
    files: 'models:\n  a:\n    variants:\n      x: { threads: 1 }\n',
    message: 'selvage.yaml:4:7: models.a.variants.x.source: missing; expected string',
  },
  {
    name: 'an unknown task and a task without a type',
    files: 'models:\n  a: { source: a, task: { type: telepathy } }\n  b: { source: b, task: {} }\n',
    message: [
      'selvage.yaml:2:33: models.a.task.type: expected "image-classification", received string "telepathy"',
      'selvage.yaml:3:19: models.b.task.type: missing; expected "image-classification"',
    ],
  },
  {
    name: 'a value that fits no alternative, and one that nearly fits',
    files:
      'models:\n  a: { source: a, task: { type: image-classification, size: big, labels: 5 } }\n  b: { source: b, task: { type: image-classification, size: [1, x] } }\n',
    message: [
      'selvage.yaml:2:61: models.a.task.size: expected number or list, received string "big"',
      'selvage.yaml:2:74: models.a.task.labels: expected string or list, received number 5',
      'selvage.yaml:3:65: models.b.task.size[1]: expected number, received string "x"',
    ],
  },
  {
    name: 'means for channels that there are not',
    files:
      'models:\n  a: { source: a, task: { type: image-classification, mean: [1, 2] } }\n  b: { source: b, task: { type: image-classification, channels: gray, std: [1, 2, 3] } }\n',
    message: [
      'selvage.yaml:2:61: models.a.task.mean: expected 1 number or 3, received 2',
      'selvage.yaml:3:76: models.b.task.std: expected 1 number for channels "gray", received 3',
    ],
  },
  {
    name: 'cron expressions that never fire or are none',
    files: 'schedule:\n  retention: 61 * * * *\n  reprobe: daily\n',
    message: [
      'selvage.yaml:2:14: schedule.retention: expected a cron expression such as "17 3 * * *", received string "61 * * * *"',
      'selvage.yaml:3:12: schedule.reprobe: expected a cron expression such as "17 3 * * *", received string "daily"',
    ],
  },
  {
    name: 'sockets at one path',
    files: 'server:\n  http: { socket: /run/a.sock }\n  admin: { socket: /run/x/../a.sock }\n',
    message:
      'selvage.yaml:3:20: server.admin.socket: expected a socket path of its own, received that of server.http.socket',
  },
  {
    name: 'a socket path that the kernel cannot hold',
    files: `server:\n  http: { socket: /${'é'.repeat(54)} }\n`,
    message:
      'selvage.yaml:2:19: server.http.socket: expected a socket path of at most 107 bytes, received one of 109',
  },
  {
    name: 'a path with NUL in it',
    files: 'stateDir: "/var/lib\\0/x"\n',
    message: 'selvage.yaml:1:11: stateDir: expected a path without NUL characters',
  },
  {
    name: 'a problem in conf.d',
    files: {
      'selvage.yaml': MODEL,
      'conf.d/10-batch.yaml': 'models:\n  clothes:\n    batch: { maxSize: no }\n',
    },
    message: 'conf.d/10-batch.yaml:3:23: models.clothes.batch.maxSize: expected number, received string "no"',
  },
  {
    name: 'files that are right alone but not together',
    files: {
      'selvage.yaml': 'server: { http: { socket: /run/a.sock } }\n',
      'conf.d/10.yaml': 'server: { admin: { socket: /run/a.sock } }\n',
    },
    message:
      'conf.d/10.yaml:1:28: server.admin.socket: expected a socket path of its own, received that of server.http.socket',
  },
  {
    name: 'problems in several files, in the order of the files',
    files: {
      'selvage.yaml': 'log: { level: 5 }\n',
      'conf.d/10.yaml': 'a: 1\n',
      'conf.d/20.yaml': 'models: { a: 5 }\n',
    },
    message: [
      'selvage.yaml:1:15: log.level: expected "trace", "debug", "info", "warn", "error" or "silent", received number 5',
      'conf.d/10.yaml:1:1: a: unknown setting; known here are stateDir, server, models, requestLog, schedule, media, log',
      'conf.d/20.yaml:1:14: models.a: expected map, received number 5',
    ],
  },
  {
    name: 'a map that a later file replaces with a scalar',
    files: { 'selvage.yaml': MODEL, 'conf.d/10.yaml': 'models: none\n' },
    message: 'conf.d/10.yaml:1:9: models: expected map, received string "none"',
  },
  {
    name: 'a directory among the files',
    files: { 'selvage.yaml': 'x: 1', 'conf.d/10.yaml/x': '' },
    message: 'conf.d/10.yaml: expected a file, found a directory',
  },
  {
    name: 'conf.d that is a file',
    files: { 'selvage.yaml': MODEL, 'conf.d': '' },
    message: 'conf.d: expected a directory, found a file',
  },
  {
    name: 'several documents',
    files: 'stateDir: a\n---\nstateDir: b\n',
    message: 'selvage.yaml:2:1: expected one YAML document in the file, found several',
  },
  {
    name: 'a root that is no map',
    files: '- a\n- b\n',
    message: 'selvage.yaml:1:1: expected a map of settings at the top of the file',
  },
  {
    name: 'an alias without an anchor, and one within its own anchor',
    files: 'models: &m\n  a: *m\n  b: *none\n',
    message: [
      'selvage.yaml:2:6: models.a: expected an anchor set before the alias, found none named "m"',
      'selvage.yaml:3:6: models.b: expected an anchor set before the alias, found none named "none"',
    ],
  },
  {
    name: 'an alias bomb',
    files: `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 7 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]\n`).join('')}`,
    // Each list holds 9 of the one before: the fifth would have 66,430 values.
    message: 'selvage.yaml:5:9: a4: expected at most 50000 values with aliases written out',
  },
  {
    name: 'too many problems to list',
    files: Array.from({ length: 23 }, (_, i) => `x${i + 10}0000000: 1\n`).join(''),
    message: [
      ...Array.from(
        { length: 20 },
        (_, i) =>
          `selvage.yaml:${i + 1}:1: x${i + 10}0000000: unknown setting; known here are stateDir, server, models, requestLog, schedule, media, log`,
      ),
      'and 3 more problems',
    ],
  },
  {
    name: 'broken quotes, whose content is not shown',
    files: 'stateDir: /x\nlog: "hunter2\n',
    message: 'selvage.yaml:3:1: a closing quote or bracket, a comma, a colon or a space is missing here',
  },
  {
    name: 'tabs',
    files: 'log:\n\tlevel: info\n',
    message: 'selvage.yaml:2:1: indent with spaces, not with tabs',
  },
  {
    name: 'a tag of one’s own',
    files: 'stateDir: !secret hunter2\n',
    message: 'selvage.yaml:1:11: this tag is not supported here, or its value does not fit it',
  },
  {
    name: 'a binary file',
    files: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x02, 0x01, 0xff, 0xfe]),
    message: 'selvage.yaml:1:1: expected UTF-8 text, found other bytes',
  },
  {
    name: 'a control character',
    files: 'stateDir: /x\nlog: \0\n',
    message: 'selvage.yaml:2:6: expected text, found the control character U+0000',
  },
  {
    name: 'a file that is too large',
    files: `# ${'x'.repeat(1024 * 1024)}\n`,
    message: 'selvage.yaml: expected at most 1048576 bytes, found more',
  },
  {
    name: 'deep nesting in brackets, which ends the process that parses it',
    files: '['.repeat(100_000),
    message: 'selvage.yaml:1:1: expected at most 64 levels of nesting',
  },
  {
    name: 'deep nesting without brackets',
    files: '- '.repeat(100_000),
    message: 'selvage.yaml:1:1: expected at most 64 levels of nesting',
  },
  {
    name: 'too many tokens',
    files: 'a:\n'.repeat(200_000),
    message: 'selvage.yaml:1:1: expected at most 250000 YAML tokens',
  },
];

describe('loadConfig with a bad configuration', () => {
  for (const { name, files, message } of CASES) {
    it(`refuses ${name}`, async () => {
      const given = typeof files === 'string' || Buffer.isBuffer(files) ? { 'selvage.yaml': files } : files;
      const error = await loadError(given);
      assert.equal(error.code, 'CONFIG_INVALID');
      assert.equal(error.message, typeof message === 'string' ? message : message.join('\n'));
    });
  }

  it('says where there is no file', async () => {
    const error = await loadError({});
    assert.equal(error.code, 'CONFIG_NOT_FOUND');
    assert.equal(error.message, 'no configuration at selvage.yaml');
    assert.equal(error.exitCode, 78);
  });

  it('refuses a directory', async () => {
    const error = await loadError({ 'selvage.yaml/x': '' });
    assert.equal(error.message, 'selvage.yaml: expected a file, found a directory');
  });

  it('does not wait for a named pipe', async () => {
    await withFiles({}, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      assert.equal(spawnSync('mkfifo', [path]).status, 0);
      await assert.rejects(loadConfig(path), /selvage\.yaml: expected a regular file$/);
    });
  });

  it('refuses files without end in conf.d', async () => {
    const files = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`conf.d/${i}.yaml`, '']));
    const error = await loadError({ 'selvage.yaml': '', ...files });
    assert.equal(error.message, 'conf.d: expected fewer than 256 files, found 256');
  });

  it('shows paths as they were given', async () => {
    await withFiles({ 'selvage.yaml': 'x: 1', 'conf.d/1.yaml': 'y: 2' }, async (directory) => {
      const given = relative(process.cwd(), join(directory, 'selvage.yaml'));
      await assert.rejects(loadConfig(given), (error: Error) => {
        const lines = error.message.split('\n');
        assert.ok(lines[0]?.startsWith(`${given}:1:1: x: `), lines[0]);
        assert.ok(lines[1]?.startsWith(`${join(dirname(given), 'conf.d/1.yaml')}:1:1: y: `), lines[1]);
        return true;
      });
    });
  });
});
