import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EchoService, echoModel } from '../../test/echo-service.ts';
import { keepingLog, LIMITS, temporaryDirectory } from '../../test/http-fixture.ts';
import { MemoryControl } from '../../test/memory-control.ts';
import { exchange } from '../../test/raw-http.ts';
import { adminRoutes } from './admin-routes.ts';
import { HttpServer } from './http.ts';

async function adminServer(t: TestContext) {
  const path = join(temporaryDirectory(t), 'admin.sock');
  const service = new EchoService([echoModel('clothes', [{ name: 'x', datatype: 'FP32', shape: [1] }])]);
  const control = new MemoryControl(service);
  const server = new HttpServer({
    routes: adminRoutes({ control, service }),
    limits: LIMITS,
    log: keepingLog().log,
  });
  await server.listenUnix({ path, mode: 0o600 });
  t.after(() => server.close(0));
  const ask = async (method: string, target: string, body?: string) => {
    const response = await exchange(path, { method, path: target, ...(body === undefined ? {} : { body }) });
    return { status: response.status, value: JSON.parse(response.body.toString()) };
  };
  return { path, control, ask };
}

describe('the administration server', () => {
  it('is for its owner only', async (t) => {
    const { path } = await adminServer(t);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('loads and unloads models', async (t) => {
    const { ask, control } = await adminServer(t);
    assert.deepEqual(await ask('POST', '/v2/repository/models/clothes/load'), { status: 200, value: {} });
    assert.ok(control.loaded.has('clothes'));
    const unloading = '{"parameters":{"unload_dependents":false}}';
    assert.equal((await ask('POST', '/v2/repository/models/clothes/unload', unloading)).status, 200);
    assert.ok(!control.loaded.has('clothes'));
    assert.equal((await ask('POST', '/v2/repository/models/none/load')).status, 404);
    assert.equal((await ask('POST', '/v2/repository/models/clothes/load', '{"parameters":{}}')).status, 200);
    const replacing = '{"parameters":{"config":"{}"}}';
    assert.equal((await ask('POST', '/v2/repository/models/clothes/load', replacing)).status, 501);
    assert.equal((await ask('POST', '/v2/repository/models/clothes/load', '{')).status, 400);
    const huge = `{"x":"${'y'.repeat(70_000)}"}`;
    assert.equal((await ask('POST', '/v2/repository/models/clothes/load', huge)).status, 413);
  });

  it('reloads the configuration, or says what is wrong with it', async (t) => {
    const { ask, control } = await adminServer(t);
    const { value } = await ask('POST', '/config/reload');
    assert.deepEqual(value.added, ['b']);
    control.configProblem = 'selvage.yaml:1:1: models: expected an object';
    const refused = await ask('POST', '/config/reload');
    assert.deepEqual(refused, { status: 400, value: { error: control.configProblem } });
    assert.equal((await ask('GET', '/config/reload')).status, 405);
  });

  it('shows status, models and jobs, and cancels a job once', async (t) => {
    const { ask } = await adminServer(t);
    const { value: status } = await ask('GET', '/status');
    assert.equal(status.pid, process.pid);
    assert.equal(status.models[0].name, 'clothes');
    const { value } = await ask('GET', '/models');
    assert.equal(value.models[0].state, 'ready');
    assert.deepEqual((await ask('GET', '/jobs')).value.jobs[0].state, 'running');
    assert.equal((await ask('POST', '/jobs/j1/cancel')).status, 200);
    assert.equal((await ask('GET', '/jobs')).value.jobs[0].state, 'cancelled');
    const again = await ask('POST', '/jobs/j1/cancel');
    assert.deepEqual(again, { status: 404, value: { error: "no job 'j1' is running" } });
  });

  it('tells its health, and has no inference', async (t) => {
    const { ask } = await adminServer(t);
    assert.deepEqual((await ask('GET', '/v2/health/ready')).value, { live: true, ready: true });
    assert.equal((await ask('POST', '/v2/models/clothes/infer', '{}')).status, 404);
  });
});
