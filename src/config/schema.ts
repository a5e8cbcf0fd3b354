import * as z from 'zod';
import { path, pathText } from './path-setting.ts';
import { imageClassificationSchema } from './tasks/image-classification.ts';

/**
 * The one place for every setting: type, default, range, unit and description. The JSON schema for editors and
 * docs/configuration.md are generated from it. A setting marked `x-kind` has a meaning that `load` acts on (see
 * `SettingKind`). Messages given here start with "expected" and continue a line that names the setting.
 */

const milliseconds = (min: number, max: number) => z.int().min(min).max(max);
const bytes = (min: number, max: number) => z.int().min(min).max(max);
const MIB = 1024 * 1024;
const socketPath = pathText.meta({ 'x-kind': 'socket' });
const cron = z.string().min(1).max(120).meta({ 'x-kind': 'cron' });

const fileMode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected an octal file mode such as "0660"')
  .meta({ examples: ['0660'] });

const limitsSchema = z
  .strictObject({
    jsonBodyBytes: bytes(1024, 256 * MIB)
      .default(8 * MIB)
      .describe(
        'Largest JSON request body in bytes; JSON tensors are parsed on the main loop, so keep this small.',
      ),
    binaryBodyBytes: bytes(1024, 1024 * MIB)
      .default(64 * MIB)
      .describe('Largest request body with binary tensors in bytes.'),
    mediaBodyBytes: bytes(1024, 256 * MIB)
      .default(32 * MIB)
      .describe('Largest image, audio or text body of /predict in bytes.'),
    inFlightBytes: bytes(1024, 4096 * MIB)
      .default(256 * MIB)
      .describe('Bytes of request bodies held at one time over all connections; beyond it requests get 429.'),
    headerTimeoutMs: milliseconds(100, 600_000)
      .default(10_000)
      .describe('Time a client has to send the request head, in milliseconds.'),
    requestTimeoutMs: milliseconds(100, 3_600_000)
      .default(60_000)
      .describe('Time a client has to send the whole request, in milliseconds.'),
    idleTimeoutMs: milliseconds(100, 3_600_000)
      .default(75_000)
      .describe('Time an idle keep-alive connection stays open, in milliseconds.'),
    maxConnections: z
      .int()
      .min(1)
      .max(65_535)
      .default(512)
      .describe('Connections open at one time per listener.'),
  })
  .prefault({})
  .describe('Bounds on what a client can take.');

const httpSchema = z
  .strictObject({
    socket: socketPath
      .default('/run/selvage/selvage.sock')
      .describe('Path of the Unix socket for inference, at most 107 bytes.'),
    mode: fileMode.default('0660').describe('File mode of the socket, octal.'),
    group: z
      .string()
      .min(1)
      .optional()
      .describe('Group that owns the socket (name or number); by default that of the process.'),
    tcp: z
      .strictObject({
        host: z.enum(['127.0.0.1', '::1']).default('127.0.0.1').describe('Loopback address to listen on.'),
        port: z.int().min(0).max(65_535).default(8000).describe('TCP port; 0 takes a free one.'),
      })
      .optional()
      .describe('Also listen on loopback TCP. Off unless given: any local user can connect to it.'),
    systemSharedMemory: z
      .boolean()
      .default(false)
      .describe(
        'Let clients of the same user register shared memory (/dev/shm) and put tensors there: the system shared memory extension.',
      ),
    limits: limitsSchema,
  })
  .prefault({})
  .describe('The inference server: Open Inference Protocol over HTTP/1.1.');

const serverSchema = z
  .strictObject({
    http: httpSchema,
    admin: z
      .strictObject({
        socket: socketPath
          .default('/run/selvage/admin.sock')
          .describe('Path of the administration socket (file mode 0600), at most 107 bytes.'),
      })
      .prefault({})
      .describe('The administration server: load, unload, reload, jobs, status.'),
    drainTimeoutMs: milliseconds(0, 600_000)
      .default(10_000)
      .describe('Time that requests in flight have to finish when the agent stops, in milliseconds.'),
  })
  .prefault({})
  .describe('Listeners.');

/** The settings of a task; `type` tells which. A new task adds its schema here. */
export const taskSchema = z
  .discriminatedUnion('type', [imageClassificationSchema])
  .describe("How a person's input becomes tensors and tensors become a person's answer.");

const variantSchema = z
  .strictObject({
    source: path.describe('Path of the ONNX file of this variant.'),
    threads: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe('Intra-op threads for this variant; by default those of the model.'),
  })
  .describe('One file that can serve the model.');

const modelSchema = z
  .strictObject({
    source: path.optional().describe('Path of the ONNX file. Give this or `variants`.'),
    variants: z
      .record(
        z
          .string()
          .regex(
            /^[a-z0-9][a-z0-9._-]{0,63}$/,
            'expected a variant name of small letters, digits, ".", "_" and "-"',
          ),
        variantSchema,
      )
      .optional()
      .describe(
        'Several files that can serve the model, by name; the fastest one measured on this machine is served.',
      ),
    version: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected letters, digits, ".", "_" and "-"')
      .default('1')
      .describe('Version that clients see.'),
    task: taskSchema.optional(),
    threads: z.int().min(1).max(64).default(1).describe('Intra-op threads of the runtime.'),
    timeoutMs: milliseconds(1, 3_600_000)
      .default(10_000)
      .describe(
        'Deadline of a request that names none, queueing included, in milliseconds; a run past it is killed with its runner.',
      ),
    loadTimeoutMs: milliseconds(100, 3_600_000)
      .default(60_000)
      .describe('Time a runner has to load the model and warm up, in milliseconds.'),
    queue: z
      .int()
      .min(1)
      .max(65_536)
      .default(256)
      .describe('Requests that may wait; beyond it they get 429.'),
    batch: z
      .strictObject({
        maxSize: z
          .int()
          .min(1)
          .max(1024)
          .default(1)
          .describe(
            'Requests to run as one batch, for models whose first dimension is free: only those already waiting, no delay is added. 1 = no batching.',
          ),
      })
      .prefault({})
      .describe('Dynamic batching.'),
    load: z
      .boolean()
      .default(true)
      .describe('Load at start; false leaves the model unloaded until the admin socket asks for it.'),
  })
  .superRefine((model, context) => {
    const variants = model.variants === undefined ? undefined : Object.keys(model.variants);
    if (model.source === undefined && variants === undefined) {
      context.addIssue({ code: 'custom', message: 'expected `source` or `variants`, received neither' });
    } else if (model.source !== undefined && variants !== undefined) {
      const message = 'expected `source` or `variants`, received both';
      context.addIssue({ code: 'custom', path: ['variants'], message });
    } else if (variants?.length === 0) {
      context.addIssue({ code: 'custom', path: ['variants'], message: 'expected at least one variant' });
    }
  })
  .describe('A model to serve.');

/** The whole configuration. */
export const configSchema = z
  .strictObject({
    stateDir: path
      .default('/var/lib/selvage')
      .describe('Directory for imported models, the database and the request log.'),
    server: serverSchema,
    models: z
      .record(
        z
          .string()
          .regex(
            /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
            'expected a model name of letters, digits, ".", "_" and "-"',
          ),
        modelSchema,
      )
      .default({})
      .describe('The models to serve, by the name clients use.'),
    requestLog: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe('Keep a row per answered request (no inputs, no outputs).'),
        maxAgeDays: z
          .number()
          .min(0.01)
          .max(3650)
          .default(14)
          .describe('Age at which rows are deleted, in days.'),
        maxSizeMiB: z
          .number()
          .min(1)
          .max(65_536)
          .default(64)
          .describe('Size of requests.db above which the oldest rows are deleted, in MiB.'),
      })
      .prefault({})
      .describe('The request log.'),
    schedule: z
      .strictObject({
        retention: cron
          .default('17 3 * * *')
          .describe('When old rows and unused files are deleted, as a cron expression.'),
        reprobe: cron
          .default('43 3 * * *')
          .describe('When the hardware is looked at again, as a cron expression.'),
      })
      .prefault({})
      .describe('Recurring work (cron expressions, local time).'),
    media: z
      .strictObject({
        maxPixels: z
          .int()
          .min(1)
          .max(1_000_000_000)
          .default(50_000_000)
          .describe('Largest image that is decoded, in pixels.'),
        timeoutMs: milliseconds(10, 600_000)
          .default(10_000)
          .describe('Time to decode one input, in milliseconds; past it the decoder process is killed.'),
        idleMs: milliseconds(1000, 86_400_000)
          .default(60_000)
          .describe(
            'Time after which an idle decoder process is ended to give its memory back, in milliseconds.',
          ),
      })
      .prefault({})
      .describe('Decoding of images and other media, in a process of its own.'),
    log: z
      .strictObject({
        level: z
          .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
          .default('info')
          .describe('Least severe level that is written.'),
        repeatWindowMs: milliseconds(0, 3_600_000)
          .default(10_000)
          .describe(
            'Equal messages within this time are written once, with a count afterwards, in milliseconds; 0 writes all.',
          ),
      })
      .prefault({})
      .describe('Logging: JSON lines on standard output.'),
  })
  .describe('Configuration of the Selvage agent.');

/** The validated configuration with every default filled in; frozen. */
export type Config = z.infer<typeof configSchema>;

/** One model of the configuration. */
export type ModelConfig = Config['models'][string];

/** The task of a model. */
export type TaskConfig = NonNullable<ModelConfig['task']>;
