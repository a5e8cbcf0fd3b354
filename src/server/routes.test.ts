import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../lib/errors.ts';
import { SelvageError } from '../lib/errors.ts';
import { jsonReply } from './reply.ts';
import { RouteTable, route, splitTarget } from './routes.ts';

const reply = () => jsonReply(200, {});
const table = new RouteTable([
  route('GET', '/v2', reply),
  route('GET', '/v2/models/stats', reply),
  route('GET', '/v2/models/{model}', reply),
  route('POST', '/v2/models/{model}', reply),
  route('POST', '/v2/models/{model}/versions/{version}/infer', reply),
]);

function fails(method: string, path: string, code: ErrorCode, text: RegExp): void {
  assert.throws(
    () => table.match(method, path),
    (error: unknown) => error instanceof SelvageError && error.code === code && text.test(error.message),
  );
}

describe('RouteTable', () => {
  it('finds a route by method and path, the same the second time', () => {
    for (let time = 0; time < 2; time++) {
      const { route, params } = table.match('POST', '/v2/models/clothes/versions/1/infer');
      assert.equal(route.path, '/v2/models/{model}/versions/{version}/infer');
      assert.deepEqual({ ...params }, { model: 'clothes', version: '1' });
    }
    assert.equal(table.match('POST', '/v2/models/a').route.method, 'POST');
    assert.equal(table.match('GET', '/v2/models/a').route.method, 'GET');
  });

  it('takes the first of several that fit, HEAD as GET, and a slash at the end', () => {
    assert.equal(table.match('GET', '/v2/models/stats').route.path, '/v2/models/stats');
    assert.equal(table.match('HEAD', '/v2').route.path, '/v2');
    assert.equal(table.match('GET', '/v2/').route.path, '/v2');
  });

  it('decodes parameters, also to what is no path and no property of Object', () => {
    assert.equal(table.match('GET', '/v2/models/gr%C3%BCn%2F..%2Fb').params['model'], 'grün/../b');
    assert.equal(table.match('GET', '/v2/models/__proto__').params['model'], '__proto__');
    fails('GET', '/v2/models/%E0%A4', 'REQUEST_MALFORMED', /%E0%A4/);
  });

  it('says which methods a path takes, and what there is not', () => {
    fails('DELETE', '/v2/models/a', 'METHOD_NOT_ALLOWED', /it takes GET, HEAD, POST/);
    fails('PUT', '/v2', 'METHOD_NOT_ALLOWED', /it takes GET, HEAD$/);
    fails('POST', '/v2', 'METHOD_NOT_ALLOWED', /PUT|POST/);
    fails('GET', '/', 'ROUTE_NOT_FOUND', /no GET \/$/);
    fails('GET', '', 'ROUTE_NOT_FOUND', /no GET/);
    fails('GET', '/v2/models//', 'ROUTE_NOT_FOUND', /v2\/models/);
    fails('POST', '/v2/models//versions/1/infer', 'ROUTE_NOT_FOUND', /versions/);
    fails('GET', `/v2/models/${'a'.repeat(2000)}`, 'ROUTE_NOT_FOUND', /…$/);
  });

  it('forgets paths rather than remember without end', () => {
    for (let index = 0; index < 5000; index++) table.match('GET', `/v2/models/m${index}`);
    assert.equal(table.match('GET', '/v2/models/m7').params['model'], 'm7');
  });
});

describe('splitTarget', () => {
  it('takes the path and the query of every form of target', () => {
    assert.deepEqual(splitTarget('/a/b?c=d?e'), { path: '/a/b', query: 'c=d?e' });
    assert.deepEqual(splitTarget('/a'), { path: '/a', query: '' });
    assert.deepEqual(splitTarget('http://host:80/a?b'), { path: '/a', query: 'b' });
    assert.deepEqual(splitTarget('*'), { path: '*', query: '' });
  });
});
