import assert from 'node:assert/strict';
import {
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { echoServer, temporaryDirectory } from '../../test/http-fixture.ts';
import { exchange } from '../../test/raw-http.ts';
import { SharedMemoryRegions } from './shared-memory-regions.ts';

const FLOATS = Buffer.from(new Float32Array([1, 2.5, -3, 4]).buffer);
const REGION = '/v2/systemsharedmemory/region';

/** A server with the extension on, over a folder in the place of /dev/shm with memory of 64 bytes called `mem`. */
async function setUp(t: TestContext) {
  const memory = temporaryDirectory(t);
  writeFileSync(join(memory, 'mem'), Buffer.alloc(64));
  const { path } = await echoServer(t, { regions: new SharedMemoryRegions(1024, memory) });
  const ask = async (method: 'GET' | 'POST', route: string, value?: object) => {
    const body = value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value));
    const { status, body: answer } = await exchange(path, { method, path: route, body });
    return { status, value: JSON.parse(answer.toString() || 'null') as Record<string, unknown> };
  };
  const register = (name: string, value: object) => ask('POST', `${REGION}/${name}/register`, value);
  const infer = (input: object, output: object = {}) =>
    ask('POST', '/v2/models/tiny/infer', {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], parameters: input }],
      outputs: [{ name: 'x_out', parameters: output }],
    });
  return { memory, ask, register, infer };
}

function part(region: string, size: number, offset = 0): object {
  return { shared_memory_region: region, shared_memory_byte_size: size, shared_memory_offset: offset };
}

describe('system shared memory', () => {
  it('takes inputs from a registered region and puts outputs there', async (t) => {
    const { memory, ask, register, infer } = await setUp(t);
    assert.equal((await register('r', { key: '/mem', offset: 8, byte_size: 56 })).status, 200);
    const bytes = readFileSync(join(memory, 'mem'));
    FLOATS.copy(bytes, 12);
    writeFileSync(join(memory, 'mem'), bytes);
    const { status, value } = await infer(part('r', 16, 4), part('r', 16, 24));
    assert.equal(status, 200, JSON.stringify(value));
    assert.deepEqual(value['outputs'], [
      { name: 'x_out', datatype: 'FP32', shape: [1, 4], parameters: part('r', 16, 24) },
    ]);
    assert.deepEqual(readFileSync(join(memory, 'mem')).subarray(32, 48), FLOATS);
    const { value: all } = await ask('GET', '/v2/systemsharedmemory/status');
    assert.deepEqual(all, [{ name: 'r', key: '/mem', offset: 8, byte_size: 56 }]);
    const { value: metadata } = await ask('GET', '/v2');
    assert.ok((metadata['extensions'] as string[]).includes('system_shared_memory'));
    assert.equal((await ask('POST', `${REGION}/r/unregister`)).status, 200);
    assert.equal((await ask('GET', `${REGION}/r/status`)).status, 404);
    assert.equal((await infer(part('r', 16))).status, 404);
    assert.equal((await ask('POST', '/v2/systemsharedmemory/unregister')).status, 200);
  });

  it('refuses memory that is not there, not a file, out of bounds or reached by a path', async (t) => {
    const { memory, register } = await setUp(t);
    mkdirSync(join(memory, 'folder'));
    symlinkSync('mem', join(memory, 'link'));
    const bad = [
      { key: 'missing', byte_size: 8 },
      { key: 'folder', byte_size: 8 },
      { key: 'link', byte_size: 8 },
      { key: '../mem', byte_size: 8 },
      { key: '/a/b', byte_size: 8 },
      { key: '..', byte_size: 8 },
      { key: 'mem', byte_size: 65 },
      { key: 'mem', offset: 60, byte_size: 8 },
      { key: 'mem', byte_size: -1 },
      { key: 'mem', byte_size: 1e30 },
      { key: 'mem' },
      { key: 7, byte_size: 8 },
    ];
    for (const value of bad) assert.equal((await register('r', value)).status, 400, JSON.stringify(value));
    assert.equal((await register('r', { key: 'mem', byte_size: 64 })).status, 200);
    assert.equal((await register('r', { key: 'mem', byte_size: 64 })).status, 400);
  });

  it('holds every tensor against the region and the limit, and goes on', async (t) => {
    const { memory, register, infer } = await setUp(t);
    writeFileSync(join(memory, 'large'), Buffer.alloc(4096));
    await register('r', { key: 'mem', byte_size: 64 });
    await register('large', { key: 'large', byte_size: 4096 });
    assert.equal((await infer(part('r', 16, 56))).status, 400);
    assert.equal((await infer(part('r', 12))).status, 400);
    assert.equal((await infer(part('large', 4096))).status, 413);
    assert.equal((await infer(part('r', 16), part('r', 8))).status, 400);
    assert.equal((await infer(part('other', 16))).status, 404);
    assert.equal((await infer({ shared_memory_region: 'r' })).status, 400);
    assert.equal((await infer({ ...part('r', 16), binary_data_size: 16 })).status, 400);
    assert.equal((await infer(part('r', 16), part('r', 16, 16))).status, 200);
    truncateSync(join(memory, 'mem'), 8);
    assert.equal((await infer(part('r', 16))).status, 400);
    ftruncateSync(openSync(join(memory, 'mem'), 'r+'), 20);
    assert.equal((await infer(part('r', 16), part('r', 16, 16))).status, 400);
    assert.equal(readFileSync(join(memory, 'mem')).length, 20);
  });

  it('is refused unless it is on', async (t) => {
    const { path } = await echoServer(t);
    for (const route of ['/v2/systemsharedmemory/status', '/v2/cudasharedmemory/status']) {
      assert.equal((await exchange(path, { path: route })).status, 501);
    }
  });
});
