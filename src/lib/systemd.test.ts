import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { createLog, type Log } from './log.ts';
import { createNotifier, stdoutIsJournal, watchdogIntervalMs } from './systemd.ts';

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, const uint8_t *, uint32_t)');

/** A datagram socket bound where the service manager's would be. */
function listen(name: string): { receive(): string | undefined; close(): void } {
  const fd = socket(1, 2 | 0o4000, 0) as number;
  const path = Buffer.from(name.replace(/^@/, '\0'));
  assert.equal(bind(fd, Buffer.concat([Buffer.from([1, 0]), path]), 2 + path.length), 0, `bind ${name}`);
  const buffer = Buffer.alloc(4096);
  return {
    receive() {
      try {
        return buffer.toString('utf8', 0, readSync(fd, buffer));
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
        throw thrown;
      }
    },
    close: () => closeSync(fd),
  };
}

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line), flush: async () => {}, dropped: 0 };
  return { log: createLog({ level: 'info', repeatWindowMs: 0, destination }), lines };
}

describe('notifier', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'selvage-notify-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const kind of ['path', 'abstract']) {
    it(`sends each message as one datagram to a socket with ${kind} name`, async () => {
      const name = kind === 'path' ? join(directory, 'notify') : `@selvage-test-${process.pid}`;
      const manager = listen(name);
      const { log, lines } = recordingLog();
      const notifier = await createNotifier({ NOTIFY_SOCKET: name }, log);
      notifier.ready('serving 2 models');
      notifier.watchdog();
      notifier.status('first line\nMAINPID=1');
      notifier.extendTimeout(1500);
      notifier.stopping('draining');
      assert.deepEqual(
        [manager.receive(), manager.receive(), manager.receive(), manager.receive(), manager.receive()],
        [
          'READY=1\nSTATUS=serving 2 models',
          'WATCHDOG=1',
          'STATUS=first line MAINPID=1',
          'EXTEND_TIMEOUT_USEC=1500000',
          'STOPPING=1\nSTATUS=draining',
        ],
      );
      notifier.reloading();
      const usec = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(manager.receive() ?? '')?.[1]);
      assert.ok(Math.abs(usec - Number(process.hrtime.bigint() / 1000n)) < 5e6, 'CLOCK_MONOTONIC');
      assert.equal(manager.receive(), undefined);
      manager.close();
      assert.deepEqual(lines, []);
    });
  }

  it('keeps messages in order while the queue is full', async () => {
    const name = join(directory, 'full');
    const manager = listen(name);
    const { log } = recordingLog();
    const notifier = await createNotifier({ NOTIFY_SOCKET: name }, log);
    let queued = 0;
    // The kernel's queue (net.unix.max_dgram_qlen) is 10 to 512 long; the sender holds 32 more.
    for (; queued < 2000 && queued - 32 < 600; queued += 1) notifier.status(`${queued}`);
    const received: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      for (let text = manager.receive(); text !== undefined; text = manager.receive()) received.push(text);
      await sleep(10);
    }
    manager.close();
    assert.ok(received.length >= 10 + 32, `${received.length}`);
    assert.deepEqual(
      received,
      received.map((_, index) => `STATUS=${index}`),
    );
  });

  it('logs what it cannot send, and goes on', async () => {
    const { log, lines } = recordingLog();
    const absent = await createNotifier({ NOTIFY_SOCKET: join(directory, 'absent') }, log);
    absent.ready('x');
    absent.watchdog();
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /"level":"warn".*"errno":2/);
    for (const path of ['vsock:2:1234', `/${'x'.repeat(200)}`]) {
      const unusable = await createNotifier({ NOTIFY_SOCKET: path }, log);
      unusable.ready('x');
    }
    assert.equal(lines.length, 4);
  });

  it('does nothing where no service manager asks', async () => {
    const { log, lines } = recordingLog();
    const notifier = await createNotifier({}, log);
    notifier.ready('x');
    notifier.watchdog();
    assert.deepEqual(lines, []);
  });
});

describe('watchdog interval', () => {
  it('is half of what the manager allows, for the process it watches', () => {
    assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' }, 42), 15_000);
    assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: '30000000' }, 42), 15_000);
    assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '43' }, 42), undefined);
    for (const value of ['0', '-1', 'soon', '', '1e400']) {
      assert.equal(watchdogIntervalMs({ WATCHDOG_USEC: value }, 42), undefined, value);
    }
    assert.equal(watchdogIntervalMs({}, 42), undefined);
  });
});

describe('journal', () => {
  it('is known by the device and inode of standard output', () => {
    const { dev, ino } = fstatSync(1, { bigint: true });
    assert.equal(stdoutIsJournal({ JOURNAL_STREAM: `${dev}:${ino}` }), true);
    assert.equal(stdoutIsJournal({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }), false);
    assert.equal(stdoutIsJournal({}), false);
  });
});
