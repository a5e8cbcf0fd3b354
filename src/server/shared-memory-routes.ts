import { SelvageError } from '../lib/errors.ts';
import { malformed, parseJsonObject } from '../lib/json-document.ts';
import { readCount } from '../protocol/shared-part.ts';
import type { BodyLimit } from './read-body.ts';
import { jsonReply } from './reply.ts';
import { type Route, route } from './routes.ts';
import type { SharedMemoryRegions } from './shared-memory-regions.ts';

const BODY_LIMIT: BodyLimit = { kind: 'JSON', limitBytes: 64 * 1024 };

/** The system shared memory extension, refused unless `regions` is given; that of CUDA is always refused. */
export function sharedMemoryRoutes(regions: SharedMemoryRegions | undefined): Route[] {
  return [...refused('cuda'), ...(regions === undefined ? refused('system') : systemRoutes(regions))];
}

function systemRoutes(regions: SharedMemoryRegions): Route[] {
  const root = '/v2/systemsharedmemory';
  return [
    route('GET', `${root}/status`, () => jsonReply(200, regions.status())),
    route('GET', `${root}/region/{region}/status`, (_, { region }) => jsonReply(200, regions.status(region))),
    route('POST', `${root}/region/{region}/register`, async (exchange, { region }) => {
      const body = await exchange.readBody(BODY_LIMIT);
      const document = parseJsonObject(body, body.byteLength);
      const { key } = document;
      if (typeof key !== 'string') throw malformed('key', 'expected the name of shared memory');
      const sizeBytes = readCount(document, 'byte_size', undefined, 'the region');
      regions.register(region, key, readCount(document, 'offset', 0, 'the region'), sizeBytes);
      return jsonReply(200, {});
    }),
    route('POST', `${root}/region/{region}/unregister`, (_, { region }) => {
      regions.unregister(region);
      return jsonReply(200, {});
    }),
    route('POST', `${root}/unregister`, () => {
      regions.unregister();
      return jsonReply(200, {});
    }),
  ];
}

function refused(kind: string): Route[] {
  const refuse = (): never => {
    throw SelvageError.of('NOT_SUPPORTED', { feature: `${kind} shared memory` });
  };
  const root = `/v2/${kind}sharedmemory`;
  return [
    route('GET', `${root}/status`, refuse),
    route('GET', `${root}/region/{region}/status`, refuse),
    route('POST', `${root}/region/{region}/register`, refuse),
    route('POST', `${root}/region/{region}/unregister`, refuse),
    route('POST', `${root}/unregister`, refuse),
  ];
}
