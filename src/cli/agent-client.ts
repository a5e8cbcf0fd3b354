import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { errnoOf, reasonOf, SelvageError } from '../lib/errors.ts';

/** How to ask. */
export interface AgentRequestOptions {
  readonly headers?: OutgoingHttpHeaders;
  /** Time the whole answer may take, in milliseconds. */
  readonly timeoutMs?: number;
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
  EACCES: 'permission denied; the socket is for its owner and group only (try sudo)',
  ENOTSOCK: 'this is not a socket',
  EINVAL: 'this cannot be the path of a socket',
  ECONNRESET: 'it ended the connection without an answer',
};

/**
 * Asks the agent that listens on a Unix socket. Throws AGENT_UNREACHABLE where none answers, and the agent's own
 * error where it answers with one.
 */
export async function agentRequest(
  socketPath: string,
  method: string,
  path: string,
  body?: string | Uint8Array,
  { headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS }: AgentRequestOptions = {},
): Promise<AgentResponse> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const response = await ask(
      { socketPath, method, path, headers: { ...length, ...headers }, signal },
      body,
    );
    const received = await receive(response);
    const { statusCode: status = 0 } = response;
    const json = parse(response, received);
    if (status < 200 || status > 299) throw errorOf(response, json, socketPath);
    return { status, body: received, json };
  } catch (thrown) {
    if (thrown instanceof SelvageError) throw thrown;
    const late = `it did not answer within ${timeoutMs} ms`;
    throw unreachable(socketPath, signal.aborted ? late : reasonFor(thrown), thrown);
  }
}

function ask(options: Parameters<typeof request>[1], body?: string | Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, agent: false } as object, resolve);
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
function errorOf(response: IncomingMessage, json: unknown, path: string): SelvageError {
  const code = response.headers['selvage-error'];
  if (typeof code !== 'string' || typeof json !== 'object' || json === null || !('error' in json)) {
    return unreachable(path, `what listens there is no agent (it answered ${response.statusCode})`);
  }
  return SelvageError.revive({ code, message: String(json.error) });
}

function reasonFor(thrown: unknown): string {
  return REASONS[errnoOf(thrown) ?? ''] ?? reasonOf(thrown);
}

function unreachable(path: string, reason: string, cause?: unknown): SelvageError {
  return SelvageError.of('AGENT_UNREACHABLE', { path, reason }, cause);
}
