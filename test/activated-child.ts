import { HttpServer } from '../src/server/http.ts';
import { jsonReply } from '../src/server/reply.ts';
import { route } from '../src/server/routes.ts';
import { listenFds } from '../src/server/socket-activation.ts';
import { keepingLog, LIMITS } from './http-fixture.ts';

/** A server on the inherited socket named `http`, as systemd starts one; ends when its parent says so. */
process.env['LISTEN_PID'] = String(process.pid);
const fd = listenFds(process.env).get('http');
const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
const { log } = keepingLog();
const routes = [route('GET', '/who', () => jsonReply(200, { fd, left }))];
const server = new HttpServer({ routes, limits: LIMITS, log });
if (fd !== undefined) await server.listenFd(fd);
process.send?.('listening');
process.on('message', () => {
  void server.close(1000).then(() => process.disconnect());
});
