import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { strangerOf } from './loopback-host.ts';

const CASES: ReadonlyArray<readonly [headers: Record<string, string>, stranger: string | undefined]> = [
  [{ host: 'localhost:8000' }, undefined],
  [{ host: '127.0.0.1' }, undefined],
  [{ host: '127.8.9.1:80' }, undefined],
  [{ host: '[::1]:8000' }, undefined],
  [{}, ''],
  [{ host: 'example.com' }, 'example.com'],
  [{ host: 'localhost.example.com' }, 'localhost.example.com'],
  [{ host: '127.0.0.1.example.com' }, '127.0.0.1.example.com'],
  [{ host: 'localhost', origin: 'http://localhost:3000' }, undefined],
  [{ host: 'localhost', origin: 'https://127.0.0.1' }, undefined],
  [{ host: 'localhost', origin: 'https://example.com' }, 'https://example.com'],
  [{ host: 'localhost', origin: 'null' }, 'null'],
];

describe('strangerOf', () => {
  for (const [headers, stranger] of CASES) {
    it(`${JSON.stringify(headers)} is ${stranger === undefined ? 'from this machine' : 'a stranger'}`, () => {
      assert.equal(strangerOf({ headers } as unknown as IncomingMessage), stranger);
    });
  }
});
