/** A complete answer to a request, whatever connection it goes out on. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  /** Further headers: name, value, name, value, … */
  readonly headers: readonly string[];
  /** Whole, or in pieces that follow each other. */
  readonly body: string | Uint8Array | readonly Uint8Array[];
}

const NO_HEADERS: readonly string[] = [];

/** A reply whose body is text. */
export interface TextReply extends Reply {
  readonly body: string;
}

/** A reply of one JSON document. */
export function jsonReply(status: number, value: unknown, headers = NO_HEADERS): TextReply {
  return { status, contentType: 'application/json', headers, body: JSON.stringify(value) };
}

/** The bytes of a reply's body in all. */
export function bodyBytes(body: Reply['body']): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.byteLength;
  return body.reduce((sum, piece) => sum + piece.byteLength, 0);
}
