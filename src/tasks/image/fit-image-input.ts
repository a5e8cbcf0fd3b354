import type { TensorSpec } from '../../tensor/tensor.ts';
import { describeSpec, type Misfit } from '../misfit.ts';
import { channelCount, type ImageSpec, PIXEL_DATATYPES, type PixelDatatype } from './image-spec.ts';

/** Settings that say how an image goes into a model; what is undefined is taken from the model's input. */
export interface ImageSettings {
  /** Side of a square, or [width, height], in pixels. */
  readonly size?: number | readonly [number, number] | undefined;
  readonly resize: ImageSpec['resize'];
  readonly cropFraction: number;
  readonly channels?: ImageSpec['channels'] | undefined;
  readonly layout?: ImageSpec['layout'] | undefined;
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

/** What pixel values become by default: 0..1 as floats, the pixel itself as UINT8, the pixel - 128 as INT8. */
const DEFAULT_SCALE = {
  FP32: { mean: 0, std: 255 },
  FP16: { mean: 0, std: 255 },
  UINT8: { mean: 0, std: 1 },
  INT8: { mean: 128, std: 1 },
} as const;

/** An input larger than this is a mistake in the settings: 256 MiB of FP32. */
const MAX_INPUT_PIXELS = 64 * 1024 * 1024;

/**
 * The name of a model's only input and how an image has to be made for it. The input must have four dimensions: a
 * batch that can be 1, and channels, height and width in either order. Throws what `misfit` makes where it has not,
 * or where the settings contradict it.
 */
export function fitImageInput(
  inputs: readonly TensorSpec[],
  settings: ImageSettings,
  misfit: Misfit,
): { readonly input: string; readonly spec: ImageSpec } {
  const input = onlyImageInput(inputs, misfit);
  const datatype = pixelDatatype(input, misfit);
  const layout = settings.layout ?? layoutOf(input.shape);
  const channels = channelsOf(input, layout, settings.channels, misfit);
  const { width, height } = sizeOf(input, layout, settings.size, misfit);
  const count = channelCount(channels);
  return {
    input: input.name,
    spec: {
      width,
      height,
      resize: settings.resize,
      cropFraction: settings.cropFraction,
      channels,
      layout,
      datatype,
      mean: perChannel('mean', settings.mean ?? [DEFAULT_SCALE[datatype].mean], count, misfit),
      std: perChannel('std', settings.std ?? [DEFAULT_SCALE[datatype].std], count, misfit),
    },
  };
}

function onlyImageInput(inputs: readonly TensorSpec[], misfit: Misfit): TensorSpec {
  const [input] = inputs;
  const batch = input?.shape[0] ?? 0;
  if (input === undefined || inputs.length > 1 || input.shape.length !== 4 || (batch !== 1 && batch >= 0)) {
    const found = inputs.map(describeSpec).join(', ');
    throw misfit(
      `expected one input of 4 dimensions with a batch of 1 or any size, found ${found || 'none'}`,
    );
  }
  return input;
}

function pixelDatatype(input: TensorSpec, misfit: Misfit): PixelDatatype {
  const datatype = PIXEL_DATATYPES.find((name) => name === input.datatype);
  if (datatype !== undefined) return datatype;
  throw misfit(`expected an input of ${PIXEL_DATATYPES.join(', ')}, found ${describeSpec(input)}`);
}

/** NHWC only where the last dimension can be the channels and the second cannot: most exporters write NCHW. */
function layoutOf(shape: readonly number[]): ImageSpec['layout'] {
  const isChannels = (size: number | undefined) => size === 1 || size === 3;
  return isChannels(shape[3]) && !isChannels(shape[1]) ? 'nhwc' : 'nchw';
}

function channelsOf(
  input: TensorSpec,
  layout: ImageSpec['layout'],
  configured: ImageSpec['channels'] | undefined,
  misfit: Misfit,
): ImageSpec['channels'] {
  const found = input.shape[layout === 'nchw' ? 1 : 3] ?? -1;
  const channels = configured ?? (found === 1 ? 'gray' : 'rgb');
  if (found < 0 || found === channelCount(channels)) return channels;
  const expected = channelCount(channels) === 1 ? '1 channel' : '3 channels';
  throw misfit(`expected ${expected} (${channels}, ${layout}), found ${found} in ${describeSpec(input)}`);
}

function sizeOf(
  input: TensorSpec,
  layout: ImageSpec['layout'],
  configured: ImageSettings['size'],
  misfit: Misfit,
): { width: number; height: number } {
  const [height, width] = layout === 'nchw' ? input.shape.slice(2) : input.shape.slice(1, 3);
  const [wantedWidth, wantedHeight] = typeof configured === 'object' ? configured : [configured, configured];
  const size = {
    width: sideOf('width', width ?? -1, wantedWidth, input, misfit),
    height: sideOf('height', height ?? -1, wantedHeight, input, misfit),
  };
  if (size.width * size.height > MAX_INPUT_PIXELS) {
    throw misfit(
      `an input of ${size.width} x ${size.height} pixels is over the limit of ${MAX_INPUT_PIXELS}`,
    );
  }
  return size;
}

function sideOf(
  name: string,
  found: number,
  wanted: number | undefined,
  input: TensorSpec,
  misfit: Misfit,
): number {
  if (found < 0 && wanted === undefined) {
    throw misfit(`the ${name} of ${describeSpec(input)} is free: set task.size`);
  }
  if (found >= 0 && wanted !== undefined && wanted !== found) {
    throw misfit(`task.size asks for a ${name} of ${wanted}, found ${found} in ${describeSpec(input)}`);
  }
  const side = wanted ?? found;
  if (side === 0) throw misfit(`the ${name} of ${describeSpec(input)} is 0`);
  return side;
}

function perChannel(name: string, values: readonly number[], count: number, misfit: Misfit): number[] {
  const [first] = values;
  if (first !== undefined && values.length === 1) return new Array<number>(count).fill(first);
  if (values.length === count) return [...values];
  throw misfit(`task.${name} has ${values.length} numbers, expected 1 or ${count}`);
}
