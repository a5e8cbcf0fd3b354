import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from './clock.ts';
import { SelvageError } from './errors.ts';
import type { LineDestination } from './line-writer.ts';
import { createLog, type LogOptions, type RootLog } from './log.ts';

class Lines implements LineDestination {
  readonly raw: string[] = [];
  readonly dropped = 0;

  write(line: string): void {
    assert.match(line, /^[^\n]*\n$/, 'a line is exactly one line');
    this.raw.push(line);
  }

  async flush(): Promise<void> {}

  get parsed(): Array<Record<string, unknown>> {
    return this.raw.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** A clock that a test moves by hand. */
function handClock(): Clock & { advance(ms: number): void } {
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  let timers: Array<{ at: number; callback: () => void }> = [];
  return {
    now: () => now,
    monotonic: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    advance(ms) {
      now += ms;
      for (const timer of timers.filter((one) => one.at <= now)) {
        timers = timers.filter((one) => one !== timer);
        timer.callback();
      }
    },
  };
}

function setUp(options: Partial<LogOptions> = {}) {
  const lines = new Lines();
  const clock = handClock();
  const log: RootLog = createLog({ level: 'info', repeatWindowMs: 0, destination: lines, clock, ...options });
  return { lines, clock, log };
}

describe('log', () => {
  it('writes level, ISO time, message and fields as one JSON object a line', () => {
    const { lines, log } = setUp();
    log.info({ model: 'clothes', variant: 'int8', requestId: 'r1' }, 'model is ready');
    assert.equal(
      lines.raw[0],
      '{"level":"info","time":"2026-01-02T03:04:05.000Z","model":"clothes","variant":"int8","requestId":"r1","msg":"model is ready"}\n',
    );
  });

  it('keeps line breaks inside a value inside the line', () => {
    const { lines, log } = setUp();
    log.info({ input: 'a\nb\u2028c' }, 'two\nlines');
    assert.equal(lines.parsed[0]?.['msg'], 'two\nlines');
  });

  it('does not let a field take the place of level, time or message', () => {
    const { lines, log } = setUp();
    log.warn({ level: 'info', time: 'never', msg: 'other' }, 'real');
    assert.deepEqual(lines.parsed[0], { level: 'warn', time: '2026-01-02T03:04:05.000Z', msg: 'real' });
  });

  it('writes what is at the level or above, and follows a change of it, in children too', () => {
    const { lines, log } = setUp({ level: 'warn' });
    const child = log.child({ model: 'm' });
    child.info('no');
    child.warn('yes');
    log.setLevel('debug');
    child.debug('now');
    log.setLevel('silent');
    child.error('no');
    assert.deepEqual(
      lines.parsed.map((line) => line['msg']),
      ['yes', 'now'],
    );
    assert.equal(child.enabled('error'), false);
  });

  it('starts lines with the priority that journald understands', () => {
    const { lines, log } = setUp({ journalPrefix: true, level: 'trace' });
    log.error('e');
    log.warn('w');
    log.info('i');
    log.debug('d');
    assert.deepEqual(
      lines.raw.map((line) => line.slice(0, 4)),
      ['<3>{', '<4>{', '<6>{', '<7>{'],
    );
  });

  it('writes errors with code, hint and causes; the stack at debug only', () => {
    const { lines, log } = setUp();
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const err = SelvageError.of('STATE_UNAVAILABLE', { path: '/x', problem: 'full' }, cause);
    log.error({ err }, 'cannot write');
    log.setLevel('debug');
    log.error({ err }, 'cannot write');
    assert.deepEqual(lines.parsed[0]?.['err'], {
      type: 'SelvageError',
      code: 'STATE_UNAVAILABLE',
      message: '/x: full',
      hint: err.hint,
      cause: { type: 'Error', code: 'ENOSPC', message: 'no space' },
    });
    assert.match(lines.raw[1] ?? '', /"stack":"SelvageError: [^"]*log\.test/);
  });

  it('ends a chain of causes that goes round', () => {
    const { lines, log } = setUp();
    const err = new Error('a');
    err.cause = err;
    log.error({ err }, 'round');
    assert.equal(lines.raw.length, 1);
  });

  it('writes the line where a field cannot be read', () => {
    const { lines, log } = setUp({ repeatWindowMs: 1000 });
    const fields = {
      get bad(): string {
        throw new Error('no');
      },
    };
    log.info(fields, 'still here');
    log.info({ model: 12n as unknown as string }, 'big');
    assert.deepEqual(
      lines.parsed.map((line) => line['msg']),
      ['still here', 'big'],
    );
  });
});

describe('secrets in the log', () => {
  it('never show by value: in messages, fields, keys, children, errors and quoted forms', () => {
    const secret = 'pa"ss\\word one';
    const { lines, log } = setUp({ secrets: [secret, ''], level: 'debug' });
    log.child({ note: `x${secret}` }).info(
      {
        url: `https://u:${encodeURIComponent(secret)}@host/`,
        body: JSON.stringify({ a: secret }),
        deep: [{ a: { b: secret } }],
        [secret]: 1,
        err: new Error(`refused ${secret}`, { cause: new Error(secret) }),
      },
      `sent ${secret} twice ${secret}`,
    );
    const text = lines.raw.join('');
    assert.doesNotMatch(text, /word one|word%20one/);
    assert.equal(text.match(/\[redacted\]/g)?.length, 11);
  });

  it('never show by the name of their key', () => {
    const { lines, log } = setUp();
    log.info(
      { password: 'p1', headers: { Authorization: 'Bearer b1' }, apiKey: 'k1', access_token: { raw: 't1' } },
      'm',
    );
    assert.doesNotMatch(lines.raw.join(''), /p1|b1|k1|t1/);
  });

  it('leave alone what only sounds alike', () => {
    const { lines, log } = setUp();
    log.info({ tokenizer: 'bert', keyframe: 1, secretary: 'x' }, 'm');
    assert.doesNotMatch(lines.raw.join(''), /redacted/);
  });

  it('can change while running, also for children made before', () => {
    const { lines, log } = setUp();
    const child = log.child({ who: 'new-secret' });
    log.setSecrets(['new-secret']);
    child.info('m');
    assert.equal(lines.parsed[0]?.['who'], '[redacted]');
    assert.equal(log.redact('/models/new-secret/m.onnx'), '/models/[redacted]/m.onnx');
  });

  it('leave no part where one secret contains another or a text is cut', () => {
    const { lines, log } = setUp({ secrets: ['abc', 'abcdef'] });
    log.info({ a: 'abcdef', b: `${'x'.repeat(4093)}abcdef` }, 'm');
    assert.equal(lines.parsed[0]?.['a'], '[redacted]');
    assert.doesNotMatch(String(lines.parsed[0]?.['b']), /abc/);
  });
});

describe('bounds of a line', () => {
  it('hold for long texts, many entries, deep and circular data, and bytes', () => {
    const { lines, log } = setUp();
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const fields = {
      text: 'x'.repeat(1_000_000),
      many: Array.from({ length: 100_000 }, (_, index) => index),
      circular,
      bytes: new Uint8Array(1_000_000),
      big: 10n,
      nan: Number.NaN,
      none: undefined,
      call: () => 1,
      keys: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 'y'.repeat(5000)])),
    };
    log.info(fields, 'z'.repeat(1_000_000));
    const wide: unknown = Array.from({ length: 1000 }, () => 1);
    const nested = (depth: number): unknown =>
      depth === 0 ? wide : Array.from({ length: 9 }, () => nested(depth - 1));
    log.info({ nested: nested(4) }, 'm');
    for (const line of lines.raw) assert.ok(line.length < 40_000, `${line.length} characters`);
    assert.equal(lines.parsed[0]?.['bytes'], '[1000000 bytes]');
    assert.equal(lines.parsed[0]?.['big'], '10');
  });
});

describe('repeated lines', () => {
  it('are written once, with a count when the window ends', () => {
    const { lines, clock, log } = setUp({ repeatWindowMs: 1000 });
    const model = log.child({ model: 'clothes', pid: 7 });
    for (let index = 0; index < 5; index += 1)
      model.warn({ code: 'QUEUE_FULL', requestId: `r${index}` }, 'refused');
    assert.equal(lines.raw.length, 1);
    assert.equal(log.suppressed, 4);
    clock.advance(1000);
    assert.deepEqual(lines.parsed[1], {
      level: 'warn',
      time: '2026-01-02T03:04:06.000Z',
      msg: 'refused',
      model: 'clothes',
      code: 'QUEUE_FULL',
      repeated: 4,
    });
    model.warn({ code: 'QUEUE_FULL' }, 'refused');
    assert.equal(lines.raw.length, 3, 'a new window starts');
    clock.advance(1000);
    assert.equal(lines.raw.length, 3, 'a window without repeats says nothing');
  });

  it('are told apart by level, message, model and code (also that of an error)', () => {
    const { lines, log } = setUp({ repeatWindowMs: 1000 });
    log.info({ model: 'a' }, 'm');
    log.info({ model: 'b' }, 'm');
    log.warn({ model: 'a' }, 'm');
    log.info({ model: 'a', err: SelvageError.of('CANCELLED', {}) }, 'm');
    log.info({ model: 'a', err: SelvageError.of('SHUTTING_DOWN', {}) }, 'm');
    log.info({ model: 'a' }, 'other');
    log.info({ model: 'a', requestId: 'r2' }, 'm');
    assert.equal(lines.raw.length, 6);
  });

  it('are all written at debug', () => {
    const { lines, log } = setUp({ repeatWindowMs: 1000, level: 'debug' });
    log.debug('m');
    log.debug('m');
    assert.equal(lines.raw.length, 2);
  });

  it('keep their count when the log is flushed, and when too many kinds are tracked', async () => {
    const { lines, log } = setUp({ repeatWindowMs: 1000 });
    log.info('first');
    log.info('first');
    for (let index = 0; index < 512; index += 1) log.info(`kind ${index}`);
    assert.deepEqual(
      lines.parsed.filter((line) => 'repeated' in line).map((line) => [line['msg'], line['repeated']]),
      [['first', 1]],
    );
    log.info('kind 511');
    await log.flush();
    assert.equal(lines.parsed.at(-1)?.['repeated'], 1);
  });
});
