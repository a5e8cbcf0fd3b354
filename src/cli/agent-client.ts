import { statSync } from 'node:fs';
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';
import { ERROR_CODE_HEADER } from '../server/http-errors.ts';

/** How to ask. */
export interface AgentRequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Time the whole answer may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** The model the request is about, for the hints of errors. */
  readonly model?: string;
}

/** An agent's answer of status 2xx. */
export interface AgentResponse {
  readonly status: number;
  readonly body: Buffer;
  /** The body parsed, where it is JSON. */
  readonly json: unknown;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

/** Why a connection fails, in words that say what to do. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket, so no agent was started with it',
  ECONNREFUSED: 'the socket is left over from an agent that has ended',
  EACCES: 'permission denied; join the group that owns the socket, or use sudo',
  EINVAL: 'this cannot be the path of a socket',
  ECONNRESET: 'it ended the connection without an answer',
};

/**
 * Asks the agent that listens on a Unix socket. Throws AGENT_UNREACHABLE where none answers, and the agent's own
 * error where it answers with one.
 */
export async function agentRequest(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: string | Uint8Array,
  { headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS, model = '' }: AgentRequestOptions = {},
): Promise<AgentResponse> {
  const signal = AbortSignal.timeout(timeoutMs);
  // Were the connection to close with the answer, one that comes before the body is sent would be lost to EPIPE.
  const agent = new Agent({ keepAlive: true });
  try {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const asked = { socketPath, method, path, headers: { ...length, ...headers }, signal, agent };
    const response = await ask(asked, body);
    const received = await receive(response);
    const { statusCode: status = 0 } = response;
    const json = parse(response, received);
    if (status < 200 || status > 299) throw errorOf(response, json, socketPath, model);
    return { status, body: received, json };
  } catch (thrown) {
    if (thrown instanceof SelvageError) throw thrown;
    const late = `it did not answer within ${timeoutMs} ms`;
    throw unreachable(socketPath, signal.aborted ? late : reasonFor(thrown, socketPath), thrown);
  } finally {
    agent.destroy();
  }
}

function ask(options: RequestOptions, body?: string | Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, resolve);
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function receive(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > MAX_RESPONSE_BYTES)
      throw new Error(`its answer has more than ${MAX_RESPONSE_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function parse(response: IncomingMessage, body: Buffer): unknown {
  return response.headers['content-type'] === 'application/json' ? JSON.parse(body.toString()) : undefined;
}

/** The error an agent answered with; what answers otherwise is no agent. */
function errorOf(response: IncomingMessage, json: unknown, path: string, model: string): SelvageError {
  const code = response.headers[ERROR_CODE_HEADER];
  if (typeof code !== 'string' || typeof json !== 'object' || json === null || !('error' in json)) {
    return unreachable(path, `what listens there is no agent (it answered ${response.statusCode})`);
  }
  const message = String(json.error);
  if (code === 'ROUTE_NOT_FOUND' || code === 'METHOD_NOT_ALLOWED') {
    return unreachable(path, `its other socket, or an agent of another version, listens there (${message})`);
  }
  const { hint } = SelvageError.revive({ code, message });
  return SelvageError.revive({ code, message, hint: hint.replaceAll('{model}', model) });
}

function reasonFor(thrown: unknown, path: string): string {
  const errno = errnoOf(thrown) ?? '';
  if (errno === 'ECONNREFUSED' && statSync(path, { throwIfNoEntry: false })?.isSocket() === false)
    return 'this is not a socket';
  return REASONS[errno] ?? reasonOf(thrown);
}

function unreachable(path: string, reason: string, cause?: unknown): SelvageError {
  return SelvageError.of('AGENT_UNREACHABLE', { path, reason }, cause);
}
