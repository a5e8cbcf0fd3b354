import { createServer } from 'node:net';

/** Listens on the Unix socket named by its argument until it is killed, and says so to its parent. */
const [path] = process.argv.slice(2);
createServer().listen({ path }, () => process.send?.('listening'));
