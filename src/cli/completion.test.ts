import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../lib/paths.ts';

const SELVAGE = `"${process.execPath}" "${join(packageRoot, 'bin/selvage.js')}"`;

/** What bash offers for the last of these words. */
function complete(...lines: string[]): string[][] {
  const asks = lines.map((line) => {
    const words = line.split(' ').map((word) => `'${word}'`);
    return `COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${words.length - 1}; _selvage; echo "offers:\${COMPREPLY[*]}"`;
  });
  const script = `source <(${SELVAGE} completion bash) && complete -p selvage && ${asks.join('; ')}`;
  const { stdout, stderr, status } = spawnSync('bash', ['-uc', script], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  const [registered, ...offers] = stdout.trimEnd().split('\n');
  assert.equal(registered, 'complete -o bashdefault -o default -F _selvage selvage');
  return offers.map((offer) =>
    offer
      .replace('offers:', '')
      .split(' ')
      .filter((word) => word !== ''),
  );
}

const skip = spawnSync('bash', ['-c', 'type compgen']).status === 0 ? false : 'needs bash';

describe('selvage completion bash', { skip }, () => {
  it('offers commands, options, and nothing where a file name belongs', () => {
    const [top, sub, options, list, choice, file, value, end] = complete(
      'selvage in',
      'selvage models --json l',
      'selvage config check --',
      'selvage models --s',
      'selvage completion b',
      'selvage infer clothes ph',
      'selvage status --socket s',
      'selvage models load clothes',
    );
    assert.deepEqual(top, ['infer', 'inspect']);
    assert.deepEqual(sub, ['list', 'load']);
    assert.deepEqual(options, ['--config', '--json', '--help']);
    assert.deepEqual(list, ['--socket']);
    assert.deepEqual(choice, ['bash']);
    assert.deepEqual([file, value, end], [[], [], []]);
  });
});
