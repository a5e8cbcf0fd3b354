/**
 * The closed table of everything that can go wrong for a user. A code fixes its message template, the status it
 * has in each protocol, the exit code of the CLI (sysexits.h where one fits) and a hint that says what to do.
 * `docs/errors.md` is generated from this table.
 */
// biome-ignore format: one line an error
export const ERROR_TABLE = {
  // Configuration
  CONFIG_NOT_FOUND: def(404, 'NOT_FOUND', 78, 'no configuration at {path}', 'Give a file with --config FILE, or install the default one with `selvage service install`.'),
  CONFIG_INVALID: def(400, 'INVALID_ARGUMENT', 78, '{problems}', 'Correct the lines named above; `selvage config schema` and docs/configuration.md list every setting.'),
  CONFIG_SECRET: def(400, 'INVALID_ARGUMENT', 78, '{problems}', 'Set the variable, create the file, or pass the credential with LoadCredential= in the unit.'),

  // The caller's request
  REQUEST_MALFORMED: def(400, 'INVALID_ARGUMENT', 65, '{what}: {problem}', 'Send the request in the form docs/protocol.md describes.'),
  INPUT_UNKNOWN: def(400, 'INVALID_ARGUMENT', 65, "model '{model}' has no input '{input}'; it has {expected}", 'Use the input names of GET /v2/models/{model}.'),
  INPUT_MISSING: def(400, 'INVALID_ARGUMENT', 65, "model '{model}' needs input '{input}', which the request does not carry", 'Send every input of GET /v2/models/{model} once.'),
  INPUT_MISMATCH: def(400, 'INVALID_ARGUMENT', 65, "input '{input}': expected {expected}, found {found}", 'Send the datatype, shape and byte count of GET /v2/models/{model}.'),
  OUTPUT_UNKNOWN: def(400, 'INVALID_ARGUMENT', 65, "model '{model}' has no output '{output}'; it has {expected}", 'Use the output names of GET /v2/models/{model}.'),
  DATATYPE_UNSUPPORTED: def(400, 'INVALID_ARGUMENT', 65, "tensor '{tensor}': datatype {datatype} is not supported; supported are {supported}", 'Convert the tensor to a supported datatype.'),
  MEDIA_UNREADABLE: def(400, 'INVALID_ARGUMENT', 65, 'the {kind} cannot be read: {reason}', 'Send a complete JPEG, PNG or WebP file within the limits of the configuration.'),
  MEDIA_TYPE_UNSUPPORTED: def(415, 'INVALID_ARGUMENT', 65, 'content type {found} is not accepted here; accepted are {expected}', 'Set the Content-Type header to what the body is.'),
  CONTENT_ENCODING_UNSUPPORTED: def(415, 'INVALID_ARGUMENT', 65, 'content encoding {found} is not accepted here; accepted are {expected}', 'Send the body as it is, or compress it with gzip or deflate.'),
  BODY_TOO_LARGE: def(413, 'RESOURCE_EXHAUSTED', 65, 'the {kind} body is over the limit of {limitBytes} bytes', 'Send less, send tensors as binary, or raise server.http.limits.'),
  HEADERS_TOO_LARGE: def(431, 'RESOURCE_EXHAUSTED', 65, 'the head of the request is over the limit of {limitBytes} bytes', 'Send fewer and shorter headers.'),
  REQUEST_TIMEOUT: def(408, 'DEADLINE_EXCEEDED', 65, 'the request did not arrive within {timeoutMs} ms', 'Send it faster, or raise server.http.limits.'),
  MODEL_NOT_FOUND: def(404, 'NOT_FOUND', 66, "no model '{model}'; there are {known}", 'Name a model of the configuration; `selvage models` lists them.'),
  MODEL_VERSION_NOT_FOUND: def(404, 'NOT_FOUND', 66, "model '{model}' has no version '{version}'; it has {known}", 'Leave the version out or name an existing one.'),
  REGION_UNKNOWN: def(404, 'NOT_FOUND', 66, "no shared memory region '{region}' is registered", 'Register it with POST /v2/systemsharedmemory/region/NAME/register.'),
  REGION_INVALID: def(400, 'INVALID_ARGUMENT', 65, "shared memory region '{region}': {problem}", 'Register memory of the user that runs the agent, and stay within it.'),
  TASK_MISSING: def(400, 'FAILED_PRECONDITION', 65, "model '{model}' has no task, so it takes tensors only", 'Set models.{model}.task, or send tensors.'),
  TASK_MISFIT: def(400, 'FAILED_PRECONDITION', 78, "the task of model '{model}' does not fit it: {problem}", 'Correct models.{model}.task, or leave the task out to serve tensors only.'),
  ROUTE_NOT_FOUND: def(404, 'UNIMPLEMENTED', 64, 'there is no {method} {path}', 'docs/protocol.md lists the routes.'),
  METHOD_NOT_ALLOWED: def(405, 'UNIMPLEMENTED', 64, '{path} does not take {method}; it takes {allowed}', 'Use one of the methods named.'),
  HOST_REFUSED: def(403, 'PERMISSION_DENIED', 77, "host '{host}' is not a loopback name", 'Over TCP, ask localhost, 127.0.0.1 or [::1].'),
  NOT_SUPPORTED: def(501, 'UNIMPLEMENTED', 69, '{feature} is not supported', 'docs/protocol.md lists what is.'),

  // Serving
  MODEL_NOT_READY: def(503, 'UNAVAILABLE', 75, "model '{model}' is not ready: {reason}", 'Try again shortly; `selvage models` shows its state.'),
  QUEUE_FULL: def(429, 'RESOURCE_EXHAUSTED', 75, "the queue of model '{model}' is full ({limit} requests wait)", 'Send fewer requests at a time, or raise models.{model}.queue.'),
  OVERLOADED: def(429, 'RESOURCE_EXHAUSTED', 75, 'the requests being worked on leave no room in the {limitBytes} bytes allowed for all', 'Send fewer requests at a time, or raise server.http.limits.inFlightBytes.'),
  DEADLINE_EXCEEDED: def(504, 'DEADLINE_EXCEEDED', 75, "model '{model}' did not answer within {timeoutMs} ms", 'Allow more time, or find out with `selvage models` what holds the model up.'),
  RUNNER_CRASHED: def(503, 'UNAVAILABLE', 75, "the runner of model '{model}' ended ({reason}) while it worked on this request", 'Try again: a new runner is being started.'),
  INFERENCE_FAILED: def(500, 'INTERNAL', 70, "model '{model}' failed: {reason}", 'Check the input against the model; the log holds the details.'),
  SHUTTING_DOWN: def(503, 'UNAVAILABLE', 75, 'the agent is shutting down', 'Try again once it is back.'),
  MEDIA_BUSY: def(429, 'RESOURCE_EXHAUSTED', 75, 'the media worker has too much to do: {waiting} inputs wait', 'Send fewer at a time.'),
  MEDIA_WORKER_CRASHED: def(503, 'UNAVAILABLE', 75, 'the media worker ended ({reason}) while it worked on this input', 'Try again: a new one is started for the next input. If one input does it every time, please report it.'),
  MEDIA_UNAVAILABLE: def(503, 'UNAVAILABLE', 69, 'media cannot be decoded here: {reason}', 'Install the optional package with `npm install sharp`, or send tensors; `selvage doctor` says more.'),
  JOB_DIED: def(500, 'INTERNAL', 70, 'the job {job} ended without a result: {reason}', 'Try again; the log holds what the job wrote last.'),
  CANCELLED: def(499, 'CANCELLED', 75, 'the request was cancelled', 'Nothing to do.'),

  // Model files
  MODEL_FILE_MISSING: def(400, 'NOT_FOUND', 66, "model '{model}': there is no file {path}", 'Correct models.{model}.source.'),
  MODEL_FILE_INVALID: def(400, 'INVALID_ARGUMENT', 65, '{path}: {problem}', 'Export the model again; `selvage doctor` checks the file system.'),
  MODEL_UNSUPPORTED: def(400, 'INVALID_ARGUMENT', 65, '{path}: {problem}', 'Convert the model to what the runtime supports.'),

  // Data for compression
  DATA_EMPTY: def(400, 'FAILED_PRECONDITION', 66, '{path}: {problem}', 'Give more samples of what the model sees in use; 100 are enough for calibration, a few hundred more to judge by.'),
  DATA_INVALID: def(400, 'INVALID_ARGUMENT', 65, '{path}: {problem}', 'Give a folder of images, a .npy or .npz file, or a .jsonl file of inference requests; docs/compression.md describes each.'),
  DATA_MISMATCH: def(400, 'INVALID_ARGUMENT', 65, '{path} does not fit the model: {problem}', 'Give data of this model: its inputs by name, datatype and shape, prepared as it wants them; `selvage inspect` lists its inputs.'),
  LABELS_INVALID: def(400, 'INVALID_ARGUMENT', 65, 'labels in {path}: {problem}', 'Give one class index or class name for each sample; docs/compression.md describes the forms.'),

  // Other files
  FILE_UNREADABLE: def(404, 'NOT_FOUND', 66, '{path} cannot be read: {reason}', 'Check the path and its permissions.'),
  FILE_UNWRITABLE: def(503, 'UNAVAILABLE', 73, '{path} cannot be written: {reason}', 'Make the folder writable and leave room on the disk.'),

  // The machine
  RUNTIME_UNAVAILABLE: def(503, 'UNAVAILABLE', 69, 'ONNX Runtime cannot be loaded: {reason}', 'Run `selvage doctor`; it says what is missing.'),
  SOCKET_IN_USE: def(503, 'UNAVAILABLE', 73, '{path}: another process is listening there', 'Stop the other agent, or change the socket path.'),
  SOCKET_PATH: def(503, 'UNAVAILABLE', 73, '{path}: {problem}', 'Choose a path in an existing, writable directory, at most 107 bytes long.'),
  STATE_UNAVAILABLE: def(503, 'UNAVAILABLE', 74, '{path}: {problem}', 'Make the state directory writable and leave room on the disk.'),
  STATE_IN_USE: def(503, 'UNAVAILABLE', 73, '{path}: {holder} is using this state directory', 'Stop the other agent, or give this one a stateDir of its own.'),
  AGENT_UNREACHABLE: def(503, 'UNAVAILABLE', 69, 'no agent answers at {path}: {reason}', 'Start it with `selvage serve`, or name its socket with --socket.'),
  JOB_NOT_FOUND: def(404, 'NOT_FOUND', 66, "no job '{job}' is running", '`selvage jobs` lists them.'),
  NOT_ROOT: def(403, 'PERMISSION_DENIED', 77, '{action} needs root', 'Run it again with sudo.'),
  SYSTEMD_MISSING: def(503, 'UNAVAILABLE', 69, 'systemd does not run this machine: {reason}', 'Have the service manager of this machine run `selvage serve`; docs/operations.md says what it has to provide.'),
  SERVICE_SETUP: def(500, 'FAILED_PRECONDITION', 71, '{step}: {reason}', 'Put that right and run the command again; it can be repeated.'),
  USAGE: def(400, 'INVALID_ARGUMENT', 64, '{problem}', 'See `selvage --help`.'),
  CHECKS_FAILED: def(500, 'FAILED_PRECONDITION', 1, '{count} of {total} checks failed', 'Do what is said beside each failed check.'),
  INTERNAL: def(500, 'INTERNAL', 70, 'internal error: {reason}', 'This is a fault of Selvage: please report it with the log.'),
} as const;

/** Name of an entry of the error table. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** The gRPC status names the table uses. */
export type GrpcStatus =
  | 'CANCELLED'
  | 'DEADLINE_EXCEEDED'
  | 'FAILED_PRECONDITION'
  | 'INTERNAL'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'UNIMPLEMENTED';

interface ErrorDefinition<Message extends string> {
  readonly http: number;
  readonly grpc: GrpcStatus;
  readonly exit: number;
  readonly message: Message;
  readonly hint: string;
}

type Placeholder<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;

/** Values for the placeholders of a code's message. */
export type ErrorParams<Code extends ErrorCode> = {
  readonly [Name in Placeholder<(typeof ERROR_TABLE)[Code]['message']>]: string | number;
};

/** The one error class: a code of the table, its message filled in, and what caused it. */
export class SelvageError extends Error {
  override readonly name = 'SelvageError';
  readonly code: ErrorCode;
  /** What to do about it, in one sentence. */
  readonly hint: string;

  private constructor(code: ErrorCode, params: Readonly<Record<string, string | number>>, cause: unknown) {
    super(fill(ERROR_TABLE[code].message, params), cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = fill(ERROR_TABLE[code].hint, params);
  }

  /** Makes an error of the table; the compiler checks that every placeholder has its value. */
  static of<Code extends ErrorCode>(code: Code, params: ErrorParams<Code>, cause?: unknown): SelvageError {
    return new SelvageError(code, params as Readonly<Record<string, string | number>>, cause);
  }

  /** Rebuilds an error that crossed a process boundary as `{code, message, hint}` (see `toJSON`). */
  static revive(plain: { code: string; message: string; hint?: string | undefined }): SelvageError {
    const code = plain.code in ERROR_TABLE ? (plain.code as ErrorCode) : 'INTERNAL';
    const error = new SelvageError(code, {}, undefined);
    error.message = plain.message;
    return Object.assign(error, { hint: plain.hint ?? error.hint });
  }

  /** The error as plain data for another process or the CLI's `--json`. */
  toJSON(): { code: ErrorCode; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint };
  }

  get httpStatus(): number {
    return ERROR_TABLE[this.code].http;
  }

  get grpcStatus(): GrpcStatus {
    return ERROR_TABLE[this.code].grpc;
  }

  get exitCode(): number {
    return ERROR_TABLE[this.code].exit;
  }
}

/** Any thrown value as a `SelvageError`: what is not one yet is a fault of ours (`INTERNAL`). */
export function toSelvageError(thrown: unknown): SelvageError {
  if (thrown instanceof SelvageError) return thrown;
  return SelvageError.of('INTERNAL', { reason: reasonOf(thrown) }, thrown);
}

/** The message of any thrown value, in one line. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/** The errno name (`ENOENT`, `EACCES`, …) of a system error, if it is one. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

function def<const Message extends string>(
  http: number,
  grpc: GrpcStatus,
  exit: number,
  message: Message,
  hint: string,
): ErrorDefinition<Message> {
  return { http, grpc, exit, message, hint };
}

function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}
