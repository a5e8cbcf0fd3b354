import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withCode } from '../../../test/contract/task-contract.ts';
import { picture, texture } from '../../../test/images.ts';
import { SelvageError } from '../../lib/errors.ts';
import { type ImageSpec, imageBytes } from '../image/image-spec.ts';
import { MediaWorker, type MediaWorkerOptions } from './media-worker.ts';

const SPEC: ImageSpec = {
  width: 16,
  height: 16,
  resize: 'cover',
  cropFraction: 1,
  channels: 'rgb',
  layout: 'nchw',
  datatype: 'FP32',
  mean: [0, 0, 0],
  std: [255, 255, 255],
};
/** Many callers share this signal here; each has its own in the agent. */
const CALL = { signal: new AbortController().signal, model: 'clothes' };

setMaxListeners(0, CALL.signal);

let small: Buffer;
const workers: MediaWorker[] = [];

before(async () => {
  small = await texture(40, 30).jpeg().toBuffer();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
});

function start(options: Partial<MediaWorkerOptions> = {}): MediaWorker {
  const worker = new MediaWorker({ maxPixels: 50_000_000, timeoutMs: 20_000, idleMs: 60_000, ...options });
  workers.push(worker);
  return worker;
}

async function decodesAgain(worker: MediaWorker): Promise<void> {
  const tensor = await worker.decodeImage(small, SPEC, CALL);
  assert.equal(tensor.byteLength, imageBytes(SPEC));
}

function pidOf(worker: MediaWorker): number {
  assert.ok(worker.pid !== undefined);
  return worker.pid;
}

/** Stops the ready child, so that it takes inputs and answers none; its process id. */
async function stopped(worker: MediaWorker): Promise<number> {
  await decodesAgain(worker);
  const pid = pidOf(worker);
  process.kill(pid, 'SIGSTOP');
  return pid;
}

async function ended(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await sleep(5);
}

describe('MediaWorker', () => {
  it('starts one child on first use and keeps it', async () => {
    const worker = start();
    assert.equal(worker.pid, undefined);
    await decodesAgain(worker);
    const pid = pidOf(worker);
    await Promise.all(Array.from({ length: 20 }, () => decodesAgain(worker)));
    assert.equal(worker.pid, pid);
  });

  it('gives every caller the answer to its own input', async () => {
    const worker = start();
    const levels = Array.from({ length: 20 }, (_, index) => index * 10);
    const encoded = await Promise.all(
      levels.map((level) =>
        picture(8, 8, () => [level, level, level])
          .png()
          .toBuffer(),
      ),
    );
    const spec: ImageSpec = { ...SPEC, datatype: 'UINT8', std: [1, 1, 1] };
    const tensors = await Promise.all(encoded.map((bytes) => worker.decodeImage(bytes, spec, CALL)));
    for (const [index, tensor] of tensors.entries()) {
      assert.ok(Buffer.from(tensor).equals(Buffer.alloc(imageBytes(spec), levels[index])));
    }
  });

  it('carries inputs and tensors larger than any buffer on the way', async () => {
    const worker = start();
    const noise = texture(1700, 1600);
    const png = await noise.clone().png({ compressionLevel: 0 }).toBuffer();
    assert.ok(png.length > 8_000_000);
    const spec: ImageSpec = {
      ...SPEC,
      width: 1700,
      height: 1600,
      layout: 'nhwc',
      datatype: 'UINT8',
      std: [1, 1, 1],
    };
    const tensor = await worker.decodeImage(png, spec, CALL);
    assert.ok(Buffer.from(tensor).equals(await noise.raw().toBuffer()));
  });

  it('refuses bad media and goes on with the same child', async () => {
    const worker = start({ maxPixels: 1000 });
    await assert.rejects(
      worker.decodeImage(small, SPEC, CALL),
      withCode('MEDIA_UNREADABLE', 'its 40 x 30 pixels are over the limit of 1000'),
    );
    const pid = worker.pid;
    const tiny = await texture(20, 20).jpeg().toBuffer();
    await assert.rejects(
      worker.decodeImage(tiny.subarray(0, tiny.length - 30), SPEC, CALL),
      withCode('MEDIA_UNREADABLE', 'premature end'),
    );
    assert.equal((await worker.decodeImage(tiny, SPEC, CALL)).byteLength, imageBytes(SPEC));
    assert.equal(worker.pid, pid);
  });

  it('does not start a child for what is no image', async () => {
    const worker = start();
    await assert.rejects(
      worker.decodeImage(new Uint8Array(0), SPEC, CALL),
      withCode('MEDIA_UNREADABLE', 'it is empty'),
    );
    await assert.rejects(
      worker.decodeImage(Buffer.from('GIF89a'), SPEC, CALL),
      withCode('MEDIA_UNREADABLE', 'neither JPEG, PNG nor WebP'),
    );
    assert.equal(worker.pid, undefined);
  });

  it('kills a child that takes too long, fails that input only, and starts another', async () => {
    const worker = start({ timeoutMs: 500 });
    const pid = await stopped(worker);
    const late = worker.decodeImage(small, SPEC, CALL);
    const behind = decodesAgain(worker);
    await assert.rejects(late, withCode('MEDIA_UNREADABLE', 'it was not decoded within 500 ms'));
    await ended(pid);
    await behind;
    assert.notEqual(worker.pid, pid);
  });

  it('fails the input in hand at once when the child dies, and serves those behind it', async () => {
    const worker = start();
    const pid = await stopped(worker);
    const inHand = worker.decodeImage(small, SPEC, CALL);
    const behind = decodesAgain(worker);
    process.kill(pid, 'SIGKILL');
    await assert.rejects(inHand, withCode('MEDIA_WORKER_CRASHED', 'signal SIGKILL'));
    await behind;
    assert.notEqual(worker.pid, pid);
  });

  it('starts another child after an idle one was killed', async () => {
    const worker = start();
    await decodesAgain(worker);
    const pid = pidOf(worker);
    process.kill(pid, 'SIGKILL');
    await ended(pid);
    while (worker.pid !== undefined) await sleep(5);
    await decodesAgain(worker);
  });

  it('ends an idle child', async () => {
    const worker = start({ idleMs: 50 });
    await decodesAgain(worker);
    const pid = pidOf(worker);
    await ended(pid);
    assert.equal(worker.pid, undefined);
    await decodesAgain(worker);
  });

  it('takes other bounds while it runs', async () => {
    const limits = { maxPixels: 50_000_000, timeoutMs: 20_000, idleMs: 60_000 };
    const worker = start(limits);
    await decodesAgain(worker);
    const pid = pidOf(worker);
    worker.configure({ ...limits, maxPixels: 1000 });
    await assert.rejects(
      worker.decodeImage(small, SPEC, CALL),
      withCode('MEDIA_UNREADABLE', 'limit of 1000'),
    );
    worker.configure({ ...limits, idleMs: 50 });
    await ended(pid);
    assert.equal(worker.pid, undefined);
  });

  it('lets a caller go at once, without disturbing the others', async () => {
    const worker = start();
    const pid = await stopped(worker);
    const gone = new AbortController();
    const inHand = worker.decodeImage(small, SPEC, { ...CALL, signal: gone.signal });
    const waiting = worker.decodeImage(small, SPEC, { ...CALL, signal: gone.signal });
    const late = worker.decodeImage(small, SPEC, { ...CALL, timeoutMs: 20 });
    const other = decodesAgain(worker);
    gone.abort();
    await assert.rejects(inHand, withCode('CANCELLED'));
    await assert.rejects(waiting, withCode('CANCELLED'));
    await assert.rejects(late, withCode('DEADLINE_EXCEEDED', "model 'clothes' did not answer within 20 ms"));
    process.kill(pid, 'SIGCONT');
    await other;
    assert.equal(worker.pid, pid);
  });

  it('rejects with the reason of the abort where that is an error of ours', async () => {
    const reason = SelvageError.of('DEADLINE_EXCEEDED', { model: 'clothes', timeoutMs: 7 });
    const call = { ...CALL, signal: AbortSignal.abort(reason) };
    await assert.rejects(start().decodeImage(small, SPEC, call), withCode('DEADLINE_EXCEEDED', '7 ms'));
  });

  it('bounds what waits, by number and by bytes', async () => {
    const worker = start();
    const pid = await stopped(worker);
    const taken = Array.from({ length: 65 }, () => worker.decodeImage(small, SPEC, CALL));
    await assert.rejects(worker.decodeImage(small, SPEC, CALL), withCode('MEDIA_BUSY', '64 inputs wait'));
    process.kill(pid, 'SIGCONT');
    await Promise.all(taken);

    const large = Buffer.alloc(70 * 1024 * 1024);
    large.set(small);
    await stopped(worker);
    const busy = worker.decodeImage(small, SPEC, CALL);
    const heavy = worker.decodeImage(large, SPEC, CALL);
    await assert.rejects(worker.decodeImage(large, SPEC, CALL), withCode('MEDIA_BUSY'));
    process.kill(pid, 'SIGCONT');
    await Promise.all([busy, heavy]);
    await decodesAgain(worker);
  });

  it('closes: nothing waits, nothing runs, nothing starts', async () => {
    const worker = start();
    const pid = await stopped(worker);
    const inHand = worker.decodeImage(small, SPEC, CALL);
    const waiting = worker.decodeImage(small, SPEC, CALL);
    const closed = worker.close();
    await assert.rejects(inHand, withCode('SHUTTING_DOWN'));
    await assert.rejects(waiting, withCode('SHUTTING_DOWN'));
    await closed;
    assert.ok(!existsSync(`/proc/${pid}`));
    await assert.rejects(worker.decodeImage(small, SPEC, CALL), withCode('SHUTTING_DOWN'));
    await start().close();
  });

  it('leaves no file behind in shared memory', async () => {
    const before = sharedFiles();
    const worker = start();
    await decodesAgain(worker);
    process.kill(pidOf(worker), 'SIGKILL');
    await worker.close();
    assert.deepEqual(sharedFiles(), before);
  });
});

describe('MediaWorker that cannot start', () => {
  /** The compiled project without its packages. */
  let bare = '';
  before(() => {
    bare = mkdtempSync(join(tmpdir(), 'selvage-bare-'));
    cpSync(fileURLToPath(new URL('../../', import.meta.url)), join(bare, 'src'), { recursive: true });
    writeFileSync(join(bare, 'package.json'), '{"type":"module"}');
    writeFileSync(join(bare, 'dies.mjs'), 'process.stderr.write("illegal instruction\\n"); process.exit(3);');
  });
  after(() => rmSync(bare, { recursive: true }));

  const bareModule = (path: string) => pathToFileURL(join(bare, path));

  it('says what to install where sharp is missing, and asks for it again only after a while', async () => {
    const worker = start({ module: bareModule('src/tasks/media-worker/media-worker-main.js') });
    const first = worker.decodeImage(small, SPEC, CALL);
    const waiting = worker.decodeImage(small, SPEC, CALL);
    const refused = withCode('MEDIA_UNAVAILABLE', "sharp cannot be loaded: Cannot find package 'sharp'");
    await assert.rejects(first, refused);
    await assert.rejects(first, (error: SelvageError) => error.hint.includes('npm install sharp'));
    await assert.rejects(waiting, refused);
    await assert.rejects(worker.decodeImage(small, SPEC, CALL), refused);
    assert.equal(worker.pid, undefined);
  });

  it('says how the child ended, and tries again after a while', async () => {
    let nowMs = 0;
    const lines: string[] = [];
    const worker = start({
      module: bareModule('dies.mjs'),
      onStderr: (line) => lines.push(line),
      clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    });
    const refused = withCode('MEDIA_UNAVAILABLE', 'the media worker did not start: exit code 3');
    for (const waitMs of [1000, 2000, 4000]) {
      await assert.rejects(worker.decodeImage(small, SPEC, CALL), refused);
      assert.equal(lines.length, 1);
      nowMs += waitMs - 1;
      await assert.rejects(worker.decodeImage(small, SPEC, CALL), refused);
      assert.deepEqual(lines.splice(0), ['illegal instruction']);
      nowMs += 1;
    }
  });
});

function sharedFiles(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith(`selvage-${process.pid}-`));
}
