import { int, tensor } from '../../../graph/build-model.ts';
import type { Graph } from '../../../graph/graph.ts';
import { dimsOf } from '../../../graph/tensor-data.ts';
import { type ActivationType, activationParameters, type QuantParameters, quantize } from '../../quantize.ts';

/** The first opset whose DequantizeLinear has scales by channel; before it the runtime's own operator is used. */
const OPSET_PER_CHANNEL = 13;

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
    const array = this.#type === 'u8' ? Uint8Array : Int8Array;
    const integers = Array.from(values, (value) => quantize(value, parameters, this.#type));
    const stored = this.#graph.fresh(`${name}_quantized`);
    this.#graph.setInitializer(tensor(stored, this.#datatype, dims, array.from(integers)));
    const result = this.#graph.fresh(`${name}_dequantized`);
    this.#addDequantize(stored, result, parameters);
    this.#floats.set(name, result);
    return result;
  }

  /** The zero point of a value, as a constant of the activations' type. */
  zeroPointOf(value: string): string {
    return this.#zeroPoint(this.#parametersOf(value).zeroPoint);
  }

  /** Integers that are there already, dequantized by channels along an axis (zero point 0); returns the floats' name. */
  dequantizeChannels(integers: string, scales: Float32Array, axis: number, base: string): string {
    const scale = this.#graph.fresh(`${base}_scale`);
    this.#graph.setInitializer(tensor(scale, 'FP32', [scales.length], scales));
    const output = this.#graph.fresh(`${base}_dequantized`);
    this.#graph.add({
      op: 'DequantizeLinear',
      domain: this.#domain,
      inputs: [integers, scale],
      outputs: [output],
      attributes: { axis: int(axis) },
    });
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
    return this.#scalar(`scale_${scale}`, (name) => tensor(name, 'FP32', [], Float32Array.of(scale)));
  }

  #zeroPoint(zeroPoint: number): string {
    const elements = (this.#type === 'u8' ? Uint8Array : Int8Array).of(zeroPoint);
    return this.#scalar(`zero_point_${zeroPoint}`, (name) => tensor(name, this.#datatype, [], elements));
  }

  #scalar(key: string, make: (name: string) => ReturnType<typeof tensor>): string {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#graph.setInitializer(make(this.#graph.fresh(key)));
    this.#constants.set(key, name);
    return name;
  }
}
