import { createServer } from 'node:net';
import { SelvageError } from '../src/lib/errors.ts';
import { listenUnix } from '../src/server/socket.ts';

/** Takes the Unix socket named by its argument when its parent says so, and tells how that went. */
const [path = ''] = process.argv.slice(2);
const server = createServer((socket) => socket.on('error', () => undefined).end('here'));
process.on('message', () => {
  listenUnix(server, { path, mode: 0o660 }).then(
    () => process.send?.('listening'),
    (error: unknown) => process.send?.(error instanceof SelvageError ? error.code : String(error)),
  );
});
process.send?.('up');
