import type { IncomingMessage } from 'node:http';

/**
 * Whether a Host header names this machine's loopback: localhost, 127.x.x.x or [::1], with any port.
 */
export function isLoopbackHost(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * The name that makes a request over loopback TCP a stranger's: a Host that is not loopback (a web page whose own name
 * was pointed here), or an Origin that is not (a web page that posts to localhost). Undefined where neither is there.
 */
export function strangerOf({ headers }: IncomingMessage): string | undefined {
  if (!isLoopbackHost(headers.host)) return headers.host ?? '';
  const { origin } = headers;
  if (origin === undefined || isLoopbackHost(origin.replace(/^https?:\/\//, ''))) return undefined;
  return origin;
}
