import { int, tensor } from '../../../graph/build-model.ts';
import type { Graph } from '../../../graph/graph.ts';
import { dimsOf } from '../../../graph/tensor-data.ts';
import { type ActivationType, activationParameters, type QuantParameters, quantize } from '../../quantize.ts';

/** The first opset whose DequantizeLinear has scales by channel; before it the runtime's own operator is used. */
const OPSET_PER_CHANNEL = 13;

/** Elements to be stored. */
type StoreArguments = Parameters<typeof tensor> extends [string, ...infer Rest] ? Rest : never;

/** Quantized weights (INT8) or a bias (INT32). */
interface StoredIntegers {
  readonly datatype: 'INT8' | 'INT32';
  readonly dims: readonly number[];
  readonly elements: Int8Array | Int32Array;
}

/** Makes the integer forms of a graph's values, each once: QuantizeLinear, DequantizeLinear and their constants. */
export class QuantizedValues {
  readonly #graph: Graph;
  readonly #type: ActivationType;
  readonly #parametersOf: (value: string) => QuantParameters;
  readonly #domain: string;
  /** Name of the integers of a value. */
  readonly #integers = new Map<string, string>();
  /** Name of the floats that the integers of a value stand for. */
  readonly #floats = new Map<string, string>();
  readonly #constants = new Map<string, string>();

  constructor(graph: Graph, type: ActivationType, parametersOf: (value: string) => QuantParameters) {
    this.#graph = graph;
    this.#type = type;
    this.#parametersOf = parametersOf;
    this.#domain = graph.opset() >= OPSET_PER_CHANNEL ? '' : 'com.microsoft';
    if (this.#domain !== '') graph.requireOpset(this.#domain, 1);
  }

  /** The integers of a value, to be taken by a direct node. */
  integersOf(value: string): string {
    const known = this.#integers.get(value);
    if (known !== undefined) return known;
    const name = this.#graph.fresh(`${value}_quantized`);
    this.#addQuantize(value, name, this.#parametersOf(value));
    this.#integers.set(value, name);
    return name;
  }

  /** The floats that the integers of a value stand for, to be taken by a linear or arithmetic node. */
  floatsOf(value: string): string {
    const known = this.#floats.get(value);
    if (known !== undefined) return known;
    const integers = this.integersOf(value);
    const name = this.#graph.fresh(`${value}_dequantized`);
    this.#addDequantize(integers, name, this.#parametersOf(value));
    this.#floats.set(value, name);
    return name;
  }

  /** Puts quantization between what a node gives under the name `raw` and everyone who takes `value`. */
  divert(raw: string, value: string): void {
    const integers = this.#graph.fresh(`${value}_quantized`);
    this.#addQuantize(raw, integers, this.#parametersOf(value));
    this.define(integers, value);
  }

  /** Gives `value` to everyone who takes it from these integers. */
  define(integers: string, value: string): void {
    this.#addDequantize(integers, value, this.#parametersOf(value));
    this.#integers.set(value, integers);
    this.#floats.set(value, value);
  }

  /** An FP32 constant as integers in its own range, dequantized. */
  constant(name: string): string {
    const known = this.#floats.get(name);
    if (known !== undefined) return known;
    const values = this.#graph.floats(name) ?? new Float32Array(0);
    const range = values.reduce(
      ({ min, max }, value) => ({ min: Math.min(min, value), max: Math.max(max, value) }),
      { min: 0, max: 0 },
    );
    const parameters = activationParameters(range, this.#type);
    const dims = dimsOf(this.#graph.constant(name) ?? tensor('', 'FP32', [0], values));
    const integers = Array.from(values, (value) => quantize(value, parameters, this.#type));
    const elements = this.#type === 'u8' ? Uint8Array.from(integers) : Int8Array.from(integers);
    const stored = this.#store(`${name}_quantized`, this.#datatype, dims, elements);
    const result = this.#graph.fresh(`${name}_dequantized`);
    this.#addDequantize(stored, result, parameters);
    this.#floats.set(name, result);
    return result;
  }

  /** The zero point of a value, as a constant of the activations' type. */
  zeroPointOf(value: string): string {
    return this.#zeroPoint(this.#parametersOf(value).zeroPoint);
  }

  /**
   * Stores weights or a bias as integers by channel along an axis, with zero points of 0, and dequantizes them; returns
   * the name of the floats. Without the zero points the runtime makes no integer kernel of Gemm.
   */
  addChannels(base: string, integers: StoredIntegers, scales: Float32Array, axis: number): string {
    const { datatype, dims, elements } = integers;
    const zeros = `zero_points_${datatype}_${scales.length}`;
    const zeroElements = new (datatype === 'INT8' ? Int8Array : Int32Array)(scales.length);
    const inputs = [
      this.#store(`${base}_quantized`, datatype, dims, elements),
      this.#store(`${base}_scale`, 'FP32', [scales.length], scales),
      this.#shared(zeros, (name) => tensor(name, datatype, [scales.length], zeroElements)),
    ];
    const output = this.#graph.fresh(`${base}_dequantized`);
    const attributes = { axis: int(axis) };
    this.#graph.add({ op: 'DequantizeLinear', domain: this.#domain, inputs, outputs: [output], attributes });
    return output;
  }

  get #datatype(): 'UINT8' | 'INT8' {
    return this.#type === 'u8' ? 'UINT8' : 'INT8';
  }

  #addQuantize(input: string, output: string, parameters: QuantParameters): void {
    this.#add('QuantizeLinear', input, output, parameters);
  }

  #addDequantize(input: string, output: string, parameters: QuantParameters): void {
    this.#add('DequantizeLinear', input, output, parameters);
  }

  #add(op: string, input: string, output: string, { scale, zeroPoint }: QuantParameters): void {
    const inputs = [input, this.#scale(scale), this.#zeroPoint(zeroPoint)];
    this.#graph.add({ op, domain: this.#domain, inputs, outputs: [output] });
  }

  #scale(scale: number): string {
    return this.#shared(`scale_${scale}`, (name) => tensor(name, 'FP32', [], Float32Array.of(scale)));
  }

  #zeroPoint(zeroPoint: number): string {
    const elements = (this.#type === 'u8' ? Uint8Array : Int8Array).of(zeroPoint);
    return this.#shared(`zero_point_${zeroPoint}`, (name) => tensor(name, this.#datatype, [], elements));
  }

  #store(base: string, ...[datatype, dims, elements]: StoreArguments): string {
    return this.#graph.setInitializer(tensor(this.#graph.fresh(base), datatype, dims, elements));
  }

  #shared(key: string, make: (name: string) => ReturnType<typeof tensor>): string {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#graph.setInitializer(make(this.#graph.fresh(key)));
    this.#constants.set(key, name);
    return name;
  }
}
