import { SelvageError } from '../lib/errors.ts';
import type { Exchange } from './exchange.ts';
import type { Reply } from './reply.ts';

/** The names in braces of a path pattern. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParams<Rest>
  : never;

type Params = Readonly<Record<string, string>>;
type Handler = (exchange: Exchange, params: Params) => Reply | Promise<Reply>;

/** One entry of a route table. GET routes answer HEAD too. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** Segments that stand for themselves or, in braces, for any one segment, which is not empty. */
  readonly path: string;
  readonly handle: Handler;
}

/** Makes a route; the compiler checks the parameters its handler takes against the path. */
export function route<const Path extends string>(
  method: Route['method'],
  path: Path,
  handle: (exchange: Exchange, params: Readonly<Record<PathParams<Path>, string>>) => Reply | Promise<Reply>,
): Route {
  return { method, path, handle: handle as Handler };
}

/** What a method and path lead to. */
export interface RouteMatch {
  readonly route: Route;
  readonly params: Params;
}

const MAX_PATH_CHARS = 1024;
const MAX_CACHED = 256;
const QUOTED_CHARS = 120;

/** Routes by method and path. */
export class RouteTable {
  readonly #routes: readonly { readonly route: Route; readonly segments: readonly string[] }[];
  /** The paths asked lately, by method, so that a steady client's path is not taken apart each time. */
  readonly #caches: ReadonlyMap<string, Map<string, RouteMatch>>;

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, segments: route.path.split('/').slice(1) }));
    this.#caches = new Map(routes.map(({ method }) => [method, new Map()]));
  }

  /**
   * The route for a request's method and path (without query). Throws ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED, and
   * REQUEST_MALFORMED where the path is not percent-encoded UTF-8.
   */
  match(method: string, path: string): RouteMatch {
    const asked = method === 'HEAD' ? 'GET' : method;
    const cache = this.#caches.get(asked);
    const known = cache?.get(path);
    if (known !== undefined) return known;
    const match = this.#find(asked, path);
    if (cache !== undefined) {
      if (cache.size >= MAX_CACHED) cache.clear();
      cache.set(path, match);
    }
    return match;
  }

  /** The methods `path` takes, empty where there is no such path. */
  allowed(path: string): string[] {
    const segments = segmentsOf(path);
    const methods = this.#routes
      .filter((one) => fits(one.segments, segments))
      .flatMap(({ route: { method } }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    return [...new Set(methods)];
  }

  #find(method: string, path: string): RouteMatch {
    if (path.length > MAX_PATH_CHARS) throw notFound(method, path);
    const segments = segmentsOf(path);
    const found = this.#routes.find((one) => one.route.method === method && fits(one.segments, segments));
    if (found !== undefined) return { route: found.route, params: paramsOf(found.segments, segments) };
    const allowed = this.allowed(path);
    if (allowed.length === 0) throw notFound(method, path);
    throw SelvageError.of('METHOD_NOT_ALLOWED', { path: quoted(path), method, allowed: allowed.join(', ') });
  }
}

/** The path of a request target and its query; an absolute-form target counts by its path (RFC 9112, 3.2.2). */
export function splitTarget(target: string): { path: string; query: string } {
  const local = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = local.indexOf('?');
  return mark < 0 ? { path: local, query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

function segmentsOf(path: string): string[] {
  return (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path).split('/').slice(1);
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, index) =>
    part.startsWith('{') ? segments[index] !== '' : part === segments[index],
  );
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Params {
  const params: Record<string, string> = Object.create(null);
  pattern.forEach((part, index) => {
    if (part.startsWith('{')) params[part.slice(1, -1)] = decoded(segments[index] ?? '');
  });
  return params;
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch (thrown) {
    const problem = `'${quoted(segment)}' is not percent-encoded UTF-8`;
    throw SelvageError.of('REQUEST_MALFORMED', { what: 'path', problem }, thrown);
  }
}

function notFound(method: string, path: string): SelvageError {
  return SelvageError.of('ROUTE_NOT_FOUND', { method, path: quoted(path) });
}

function quoted(path: string): string {
  return path.length > QUOTED_CHARS ? `${path.slice(0, QUOTED_CHARS)}…` : path;
}
