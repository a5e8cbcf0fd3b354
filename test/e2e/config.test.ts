import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { tinyModel } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess, type Exit, type LaunchOptions } from './agent-process.ts';

const EXIT_CONFIG = 78;

describe('a configuration that is wrong', () => {
  function home(t: TestContext, text?: string): AgentHome {
    const made = new AgentHome();
    t.after(() => made.remove());
    if (text !== undefined) made.write('selvage.yaml', text);
    return made;
  }

  async function refused(at: AgentHome, pattern: RegExp, options: LaunchOptions = {}): Promise<Exit> {
    const exit = await AgentProcess.launch(at, options).exited;
    assert.equal(exit.code, EXIT_CONFIG, `${exit.stdout}${exit.stderr}`);
    assert.match(exit.stderr, pattern);
    assert.doesNotMatch(exit.stderr, /\n\s+at /, 'a person needs no stack');
    assert.deepEqual([existsSync(at.socket), existsSync(at.stateDir)], [false, false]);
    return exit;
  }

  const head =
    'stateDir: state\nserver:\n  http: { socket: selvage.sock }\n  admin: { socket: admin.sock }\n';
  const wrong: readonly [what: string, text: string, pattern: RegExp][] = [
    ['an unknown key', `${head}modles: {}\n`, /selvage\.yaml:5:1: .*modles/],
    ['a duplicate key', `${head}log: { level: info }\nlog: { level: warn }\n`, /selvage\.yaml:6:1: .*log/],
    [
      'a value of the wrong type',
      `${head}models:\n  m: { source: m.onnx, threads: many }\n`,
      /selvage\.yaml:6:33: models\.m\.threads: expected/,
    ],
    [
      'a value out of range',
      `${head}models:\n  m: { source: m.onnx, queue: 0 }\n`,
      /selvage\.yaml:6:31: models\.m\.queue/,
    ],
    [
      'a model without a file',
      `${head}models:\n  m: {}\n`,
      /selvage\.yaml:6:6: models\.m: expected `source` or `variants`/,
    ],
    [
      'a model name that is a path',
      `${head}models:\n  ../m: { source: m.onnx }\n`,
      /selvage\.yaml:6:3: .*model name/,
    ],
    ['broken YAML', `${head}models: {\n  m: [\n`, /selvage\.yaml:\d+:\d+: /],
    ['a list where settings are wanted', '- 1\n- 2\n', /selvage\.yaml:1:1: /],
    [
      'a cron expression that is none',
      `${head}schedule: { retention: sometimes }\n`,
      /selvage\.yaml:5:24: schedule\.retention/,
    ],
    [
      'a missing secret',
      `${head}log: { level: "$\{env:SELVAGE_E2E_UNSET}" }\n`,
      /selvage\.yaml:5:\d+: .*SELVAGE_E2E_UNSET/,
    ],
    ['bytes that are no text', `${head}# \u0000\n`, /selvage\.yaml/],
  ];
  for (const [what, text, pattern] of wrong) {
    it(`is refused with file, line and column: ${what}`, async (t) => {
      await refused(home(t, text), pattern);
    });
  }

  it('is refused with every problem at once', async (t) => {
    const text = `${head}modles: {}\nlog: { level: loud }\n`;
    const { stderr } = await refused(home(t, text), /modles/);
    assert.match(stderr, /selvage\.yaml:6:15: log\.level/);
  });

  it('is refused in the file of conf.d that is wrong', async (t) => {
    const at = home(t, head);
    at.write('conf.d/10-log.yaml', 'log: { level: info }\n');
    at.write('conf.d/20-models.yaml', 'models:\n  m: { sorce: m.onnx }\n');
    await refused(at, /20-models\.yaml:2:8: models\.m.*sorce/);
  });

  it('is refused where aliases would fill the memory', async (t) => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 12; level += 1) {
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
    }
    await refused(home(t, `${lines.join('\n')}\n`), /alias/i);
  });

  it('is refused where it is nested too deep', async (t) => {
    await refused(
      home(t, `models: ${'['.repeat(50_000)}${']'.repeat(50_000)}\n`),
      /selvage\.yaml:1:1: .*levels of nesting/,
    );
  });

  it('is refused where it is not there', async (t) => {
    await refused(home(t), /no configuration at .*selvage\.yaml/);
  });

  it('is refused also by an agent that ran with the one before', async (t) => {
    const at = home(t);
    at.write('tiny.onnx', tinyModel());
    at.configure({ tiny: { source: 'tiny.onnx' } });
    const agent = await AgentProcess.start(at);
    assert.equal((await agent.stop()).code, 0);
    at.configure({ tiny: { source: 'tiny.onnx' } }, { log: { level: 'loud' } });
    const exit = await AgentProcess.launch(at).exited;
    assert.equal(exit.code, EXIT_CONFIG);
    assert.match(exit.stderr, /log\.level/);
  });
});
