import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Figure } from '../../bench/figure.ts';
import { MEASUREMENTS } from '../../bench/serve/measurements.ts';
import { packageRoot } from '../../src/lib/paths.ts';

const TIMEOUT_MS = 120_000;

interface Report {
  readonly benchmark: string;
  readonly quick: boolean;
  readonly machine: { readonly cores: number; readonly node: string };
  readonly figures: readonly Figure[];
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the benchmarks with a temporary directory of their own. */
function startBench(t: TestContext, args: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'selvage-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const child = spawn(process.execPath, [join(packageRoot, 'dist/bench/main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory },
    timeout: TIMEOUT_MS,
  });
  return { child, directory, ended: collect(child) };
}

function collect(child: ChildProcess): Promise<Ended> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...text }));
  });
}

describe('npm run bench', () => {
  it('lists the benchmarks, also when it is asked for one that is not there', async (t) => {
    const help = await startBench(t, ['--help']).ended;
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^ {2}serve /m);
    const unknown = await startBench(t, ['toString']).ended;
    assert.equal(unknown.code, 64);
    assert.match(unknown.stderr, /there is no benchmark 'toString'[\s\S]*^ {2}serve /m);
  });

  it('refuses options it does not know', async (t) => {
    const { code, stderr } = await startBench(t, ['serve', '--only', 'speed']).ended;
    assert.equal(code, 1);
    assert.match(stderr, /no measurement 'speed'; there are .*tiny-latency/);
  });

  it('measures serving on the tiny model and prints one JSON document', async (t) => {
    const { ended, directory } = startBench(t, ['serve', '--quick', '--json']);
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Report;
    assert.equal(report.benchmark, 'serve');
    assert.equal(report.quick, true);
    assert.ok(report.machine.cores > 0);
    const goals = MEASUREMENTS.flatMap((measurement) => measurement.goals);
    assert.deepEqual(
      report.figures.map(({ name }) => name),
      goals.map(({ name }) => name),
    );
    for (const one of report.figures) checkFigure(one);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('leaves nothing behind when it is interrupted', async (t) => {
    const { child, ended, directory } = startBench(t, ['serve', '--quick', '--only', 'idle-cpu']);
    child.stderr?.once('data', () => setTimeout(() => child.kill('SIGINT'), 300));
    const { code } = await ended;
    assert.equal(code, 130);
    assert.deepEqual(readdirSync(directory), []);
  });
});

/** MobileNetV2 is not measured in a quick run; everything else has a value and is held against its limit. */
function checkFigure({ name, value, spread, met, limit, bound, peers, note }: Figure): void {
  if (/mobilenet/.test(name)) {
    assert.deepEqual([value, spread, met], [null, null, null], name);
    assert.match(note ?? '', /MobileNetV2/);
    return;
  }
  assert.ok(value !== null && Number.isFinite(value), `${name}: ${value}`);
  if (value !== limit) assert.equal(met, bound === 'at most' ? value < limit : value > limit, name);
  if (spread !== null)
    assert.ok(spread[0] <= value && value <= spread[1], `${name}: ${spread} around ${value}`);
  for (const [peer, beside] of Object.entries(peers ?? {}))
    assert.ok(Number.isFinite(beside), `${name}: ${peer}`);
}
