import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { barLine, progressDisplay } from './progress.ts';

describe('progress', () => {
  it('tells the time left from the time passed', () => {
    assert.equal(
      barLine(0.25, 'calibrating', 20_000),
      '[======                  ]  25 %, 1 min 0 s left  calibrating',
    );
    assert.equal(barLine(0.5, 'x', 10_800_000), '[============            ]  50 %, 3 h 0 min left  x');
    assert.equal(barLine(1.2, 'x', 5000), '[========================] 100 %, 1 s left  x');
  });

  it('promises nothing at the start', () => {
    assert.equal(barLine(0.5, 'x', 100), '[============            ]  50 %  x');
  });

  it('writes each message once where there is no terminal', () => {
    const written: string[] = [];
    const display = progressDisplay({ write: (text) => written.push(text) });
    for (const fraction of [0, 0.1, 0.2]) display.show({ fraction, message: 'reading' });
    display.show({ fraction: 0.3, message: 'scoring' });
    display.end();
    assert.deepEqual(written, ['reading\n', 'scoring\n']);
  });

  it('redraws one line on a terminal, not too often, cut to its width, and leaves it empty', () => {
    const written: string[] = [];
    let nowMs = 0;
    const stream = { isTTY: true, columns: 40, write: (text: string) => written.push(text) };
    const display = progressDisplay(stream, () => nowMs);
    display.show({ fraction: 0, message: 'm'.repeat(60) });
    display.show({ fraction: 0.01, message: 'm'.repeat(60) });
    nowMs = 100;
    display.show({ fraction: 0.02, message: 'm'.repeat(60) });
    display.end();
    assert.equal(written.length, 3);
    assert.equal(written[0]?.length, '\r\x1b[K'.length + 39);
    assert.equal(written[2], '\r\x1b[K');
  });
});
