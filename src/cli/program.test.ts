import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { configJsonSchema } from '../config/json-schema.ts';
import { SelvageError } from '../lib/errors.ts';
import { packageRoot } from '../lib/paths.ts';
import { adminSocket, inferenceSocket } from './agent-sockets.ts';
import { commandLine, commandTree } from './command-tree.ts';
import { createProgram } from './program.ts';

/** What parsing a command line throws. */
async function thrownBy(...args: string[]): Promise<unknown> {
  const program = (await createProgram()).configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const command of commandTree(program)) command.configureOutput(program.configureOutput());
  return program.parseAsync(args, { from: 'user' }).then(
    () => assert.fail(`${args.join(' ')} did not throw`),
    (thrown: unknown) => thrown,
  );
}

async function usage(...args: string[]): Promise<string[]> {
  const thrown = await thrownBy(...args);
  assert.ok(thrown instanceof SelvageError, String(thrown));
  assert.equal(thrown.code, 'USAGE');
  return [thrown.message, thrown.hint];
}

describe('the command line', () => {
  it('describes every command, with an example', async () => {
    const commands = commandTree(await createProgram());
    assert.ok(commands.length > 20, String(commands.length));
    for (const command of commands) {
      const name = commandLine(command);
      assert.notEqual(command.description(), '', `${name} has no description`);
      for (const option of command.options)
        assert.notEqual(option.description, '', `${name} ${option.flags}`);
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      const examples = help.slice(help.search(/^Examples?\b/m)).split('\n');
      const mine = examples.filter((line) => new RegExp(`^ +(\\$ )?(.* )?(sudo )?${name}\\b`).test(line));
      // A command that only has others below it may show theirs.
      assert.ok(mine.length > 0, `the help of ${name} has no example of it:\n${help}`);
    }
  });

  it('makes a command alone as it is among all', async () => {
    const shape = (command: Command) =>
      commandTree(command).map((one) => [commandLine(one), one.helpInformation()]);
    for (const command of (await createProgram()).commands) {
      if (command.name() === 'completion') continue; // It needs them all.
      const [alone, ...others] = (await createProgram(command.name())).commands;
      assert.ok(alone !== undefined && others.length === 0, command.name());
      assert.deepEqual(shape(alone), shape(command));
    }
  });

  it('says what is wrong with a command line', async () => {
    assert.deepEqual(await usage('modls'), [
      "unknown command 'modls' (Did you mean models?)",
      'See `selvage --help`.',
    ]);
    assert.deepEqual(await usage('models', 'laod', 'clothes'), [
      "unknown command 'laod' (Did you mean load?)",
      'See `selvage models --help`.',
    ]);
    assert.deepEqual(await usage('models', 'load'), [
      "missing required argument 'model'",
      'See `selvage models load --help`.',
    ]);
    assert.deepEqual(await usage('infer', 'clothes', 'x.png', '--top-k', '0'), [
      "option '--top-k <n>' argument '0' is invalid. It is not a positive integer.",
      'See `selvage infer --help`.',
    ]);
    assert.match(
      (await usage('status', '--jsno'))[0] ?? '',
      /unknown option '--jsno' \(Did you mean --json\?\)/,
    );
  });

  it('tells help that was asked for from help that stands in for a command', async () => {
    for (const [args, exitCode] of [
      [['--help'], 0],
      [['models', 'load', '--help'], 0],
      [['help', 'models'], 0],
      [['--version'], 0],
      [[], 1],
      [['config'], 1],
    ] as const) {
      const thrown = await thrownBy(...args);
      assert.ok(thrown instanceof CommanderError, args.join(' '));
      assert.equal(thrown.exitCode, exitCode, args.join(' '));
    }
  });

  it('asks the sockets that the configuration has by default', () => {
    const schema = JSON.stringify(configJsonSchema());
    for (const path of [inferenceSocket({}), adminSocket({})]) {
      assert.ok(schema.includes(`"default":"${path}"`), path);
    }
    const env = { SELVAGE_SOCKET: '/a', SELVAGE_ADMIN_SOCKET: '/b' };
    assert.deepEqual([inferenceSocket(env), adminSocket(env)], ['/a', '/b']);
  });

  it('loads nothing heavy before it knows the command', () => {
    const main = join(packageRoot, 'bin/selvage.js');
    const { stderr, status } = spawnSync(process.execPath, [main, '--version'], {
      encoding: 'utf8',
      env: { ...process.env, NODE_DEBUG: 'esm,module' },
    });
    assert.equal(status, 0);
    assert.match(stderr, /commander/, 'the debug log names what is loaded');
    const heavy = /node_modules\/(?!commander\b)[\w@/-]+/.exec(stderr);
    assert.equal(heavy, null, `${heavy} is loaded at start`);
  });
});
