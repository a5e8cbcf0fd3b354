import { isUtf8 } from 'node:buffer';
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { ModelProtoSchema } from './gen/onnx_pb.ts';
import { MODEL_LIMITS } from './limits.ts';

/**
 * Walks the bytes of a model file along the schema without decoding it, skipping over tensor data, and says what is
 * wrong with them; undefined where they are a well-formed ModelProto within `MODEL_LIMITS`.
 *
 * The decoder alone is not enough: it does not look at wire types, lets a message reach beyond its parent and would
 * make objects of a few bytes' input until the heap is full. Encoding: https://protobuf.dev/programming-guides/encoding
 */
export function scanModelBytes(bytes: Uint8Array): string | undefined {
  const scan: Scan = { bytes, position: 0, heapBytes: 0, trail: [] };
  try {
    scanMessage(scan, ModelProtoSchema, bytes.length);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof WireFault) return thrown.message;
    throw thrown;
  }
}

/** Unwinds the recursion; never leaves this file. */
class WireFault extends Error {}

interface Scan {
  readonly bytes: Uint8Array;
  position: number;
  /** Heap that the decoder's objects would take, estimated with the weights below. */
  heapBytes: number;
  /** Names of the fields around `position`. */
  readonly trail: string[];
}

/** Heap bytes of what the decoder makes, measured on Node 20 and rounded up. */
const HEAP = { message: 430, text: 48, view: 120, unknown: 330, bigint: 40, number: 28 } as const;

const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** Text that carries no identity may be in any encoding; everything else must be UTF-8, or names would be changed. */
const FREE_TEXT: ReadonlySet<string> = new Set(['doc_string', 'value']);

interface FieldPlan {
  readonly name: string;
  readonly wireType: number;
  readonly kind: 'message' | 'text' | 'bytes' | 'number' | 'bigint';
  readonly message: DescMessage | undefined;
  readonly repeated: boolean;
}

const plans = new Map<DescMessage, Map<number, FieldPlan>>();

function planOf(message: DescMessage): Map<number, FieldPlan> {
  let plan = plans.get(message);
  if (plan === undefined) {
    plan = new Map(message.fields.map((field) => [field.number, planField(field)]));
    plans.set(message, plan);
  }
  return plan;
}

function planField(field: DescField): FieldPlan {
  const common = { name: field.name, repeated: field.fieldKind === 'list', message: field.message };
  if (field.message !== undefined) return { ...common, kind: 'message', wireType: WIRE.delimited };
  switch (field.scalar) {
    case ScalarType.STRING:
      return { ...common, kind: 'text', wireType: WIRE.delimited };
    case ScalarType.BYTES:
      return { ...common, kind: 'bytes', wireType: WIRE.delimited };
    case ScalarType.FLOAT:
      return { ...common, kind: 'number', wireType: WIRE.fixed32 };
    case ScalarType.DOUBLE:
      return { ...common, kind: 'number', wireType: WIRE.fixed64 };
    case ScalarType.INT32:
      return { ...common, kind: 'number', wireType: WIRE.varint };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { ...common, kind: 'bigint', wireType: WIRE.varint };
    default:
      throw new Error(`onnx.proto: no plan for the type of ${field}`);
  }
}

function scanMessage(scan: Scan, message: DescMessage, end: number): void {
  charge(scan, HEAP.message);
  if (scan.trail.length > MODEL_LIMITS.messageDepth) {
    fail(scan, `messages are nested more than ${MODEL_LIMITS.messageDepth} deep`);
  }
  const plan = planOf(message);
  while (scan.position < end) {
    const start = scan.position;
    const tag = readVarint(scan, end);
    const number = Math.floor(tag / 8);
    if (number === 0 || scan.position - start > 5) fail(scan, `byte ${start} starts no field`);
    const field = plan.get(number);
    scan.trail.push(field?.name ?? `field ${number}`);
    if (field === undefined) scanUnknown(scan, tag % 8, end);
    else scanField(scan, field, tag % 8, end);
    scan.trail.pop();
  }
}

function scanField(scan: Scan, field: FieldPlan, wireType: number, end: number): void {
  if (wireType !== field.wireType) {
    const packed = field.repeated && wireType === WIRE.delimited;
    if (!packed) fail(scan, `byte ${scan.position} has wire type ${wireType}, expected ${field.wireType}`);
    scanPacked(scan, field, endOfDelimited(scan, end));
    return;
  }
  switch (field.kind) {
    case 'message':
      if (field.message !== undefined) scanMessage(scan, field.message, endOfDelimited(scan, end));
      return;
    case 'text':
      scanText(scan, field, endOfDelimited(scan, end));
      return;
    case 'bytes':
      charge(scan, HEAP.view);
      scan.position = endOfDelimited(scan, end);
      return;
    default:
      charge(scan, HEAP[field.kind]);
      skipScalar(scan, wireType, end);
  }
}

/** Fields that a later ONNX version added; they are kept as they are. */
function scanUnknown(scan: Scan, wireType: number, end: number): void {
  charge(scan, HEAP.unknown);
  if (wireType === WIRE.delimited) scan.position = endOfDelimited(scan, end);
  else skipScalar(scan, wireType, end);
}

/** A repeated number field in packed form: its elements without tags up to `stop`. */
function scanPacked(scan: Scan, field: FieldPlan, stop: number): void {
  const start = scan.position;
  if (field.wireType === WIRE.varint) {
    let count = 0;
    for (let at = start; at < stop; at++) if ((scan.bytes[at] ?? 0) < 0x80) count++;
    if (stop > start && (scan.bytes[stop - 1] ?? 0) >= 0x80) fail(scan, `byte ${stop} cuts a number off`);
    charge(scan, HEAP[field.kind === 'bigint' ? 'bigint' : 'number'] * count);
  } else {
    const width = field.wireType === WIRE.fixed32 ? 4 : 8;
    if ((stop - start) % width !== 0) {
      fail(scan, `${stop - start} bytes at byte ${start} are no multiple of ${width}`);
    }
    charge(scan, (HEAP.number * (stop - start)) / width);
  }
  scan.position = stop;
}

function scanText(scan: Scan, field: FieldPlan, stop: number): void {
  const start = scan.position;
  charge(scan, HEAP.text + (stop - start));
  scan.position = stop;
  if (FREE_TEXT.has(field.name)) return;
  for (let at = start; at < stop; at++) {
    if ((scan.bytes[at] ?? 0) < 0x80) continue;
    if (!isUtf8(scan.bytes.subarray(start, stop))) fail(scan, `the text at byte ${start} is not UTF-8`);
    return;
  }
}

function skipScalar(scan: Scan, wireType: number, end: number): void {
  switch (wireType) {
    case WIRE.varint:
      readVarint(scan, end);
      return;
    case WIRE.fixed32:
    case WIRE.fixed64:
      scan.position += wireType === WIRE.fixed32 ? 4 : 8;
      if (scan.position > end) failEnd(scan, scan.position - end);
      return;
    default:
      fail(scan, `byte ${scan.position} has wire type ${wireType}, which ONNX does not use`);
  }
}

/** Reads a length and returns where what it announces ends, which is not beyond `end`. */
function endOfDelimited(scan: Scan, end: number): number {
  const length = readVarint(scan, end);
  const stop = scan.position + length;
  if (stop > end) failEnd(scan, stop - end);
  return stop;
}

/** The value of a varint; exact up to 2^53, which tags and lengths are below. */
function readVarint(scan: Scan, end: number): number {
  const start = scan.position;
  let value = 0;
  for (let factor = 1; scan.position < end; factor *= 128) {
    const byte = scan.bytes[scan.position++] ?? 0;
    value += (byte % 128) * factor;
    if (byte < 128) return value;
    if (scan.position - start === 10) fail(scan, `the number at byte ${start} has no end`);
  }
  return failEnd(scan, 1);
}

function charge(scan: Scan, bytes: number): void {
  scan.heapBytes += bytes;
  if (scan.heapBytes > MODEL_LIMITS.heapBytes) {
    const limitMiB = MODEL_LIMITS.heapBytes / 2 ** 20;
    fail(
      scan,
      `opening it would take more than ${limitMiB} MiB besides its weights; store weights as raw data`,
    );
  }
}

/**
 * A field that goes `excessBytes` beyond the end of what holds it. In the outermost message that is the end of the
 * file; further in, a file that was cut off does not get that far, so a length must be wrong.
 */
function failEnd(scan: Scan, excessBytes: number): never {
  return scan.trail.length <= 1
    ? fail(scan, `the file ends at least ${excessBytes} bytes too early: it is truncated`)
    : fail(scan, `byte ${scan.position}: ${excessBytes} bytes more are announced than there are`);
}

function fail(scan: Scan, problem: string): never {
  const where = scan.trail.slice(0, 8).join('.');
  throw new WireFault(where === '' ? problem : `${problem} (in ${where})`);
}
