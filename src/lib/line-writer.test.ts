import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';

const moduleUrl = new URL('./line-writer.js', import.meta.url).href;

/** Runs a script with `writer` on standard output in a process of its own. */
function run(script: string): ChildProcess {
  const source = `import { LineWriter } from ${JSON.stringify(moduleUrl)}; const writer = new LineWriter(1);\n${script}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function outputOf(
  child: ChildProcess,
): Promise<{ lines: string[]; errors: string; code: number | null }> {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { lines: output.split('\n').slice(0, -1), errors, code };
}

const expected = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`);

describe('line writer', () => {
  it('writes every line in order and flushes', async () => {
    const { lines, errors } = await outputOf(
      run(`for (let i = 0; i < 20000; i += 1) writer.write('line ' + i + '\\n');
           await writer.flush(); process.stderr.write('flushed ' + writer.dropped); process.kill(process.pid, 'SIGKILL');`),
    );
    assert.equal(errors, 'flushed 0');
    assert.deepEqual(lines, expected(20_000));
  });

  it('loses nothing when the process exits, or dies of an exception, without a flush', async () => {
    for (const end of ['process.exit(0)', 'throw new Error("fault")']) {
      const { lines } = await outputOf(
        run(`for (let i = 0; i < 5000; i += 1) writer.write('line ' + i + '\\n'); ${end}`),
      );
      assert.deepEqual(new Set(lines), new Set(expected(5000)), end);
    }
  });

  it('does not wait for a reader that does not read, and says what it gave up', async () => {
    const child = run(`const line = 'x'.repeat(1023) + '\\n'; const before = performance.now();
      for (let i = 0; i < 4096; i += 1) writer.write(line);
      process.stderr.write(JSON.stringify({ dropped: writer.dropped, ms: performance.now() - before }));
      process.kill(process.pid, 'SIGKILL');`);
    const [chunk] = (await once(child.stderr as NodeJS.ReadableStream, 'data')) as [Buffer];
    await once(child, 'exit');
    const { dropped } = JSON.parse(chunk.toString()) as { dropped: number };
    assert.ok(dropped > 2900 && dropped < 4096, `${dropped} dropped`);
  });

  it('outlives its reader', async () => {
    const child = run(`setInterval(() => writer.write('line\\n'), 5);
      setTimeout(() => { process.stderr.write('alive ' + (writer.dropped > 0)); process.exit(7); }, 300);`);
    child.stdout?.destroy();
    const [chunk] = (await once(child.stderr as NodeJS.ReadableStream, 'data')) as [Buffer];
    const [code] = (await once(child, 'exit')) as [number];
    assert.deepEqual([chunk.toString(), code], ['alive true', 7]);
  });
});
