import type { Graph } from '../../../graph/graph.ts';
import {
  activationParameters,
  type QuantParameters,
  representableRange,
  type ValueRange,
} from '../../quantize.ts';
import { impliesClamp } from './clamp.ts';
import type { Int8StaticOptions } from './options.ts';
import type { Role } from './plan.ts';

/** Softmax gives 0 … 1, and the runtime's integer Softmax has this scale only. */
const SOFTMAX_SCALE = 1 / 256;

/** Values that share scale and zero point. */
interface Group {
  range: ValueRange;
  /** Parameters that cannot be chosen. */
  readonly fixed: QuantParameters | undefined;
  /** Bounds that the parameters must keep implying. */
  clamps: readonly ValueRange[];
}

/**
 * The parameters of every value that a role takes or gives: what a direct node gives shares those of what it takes, and
 * what only goes into a Concat those of its output, where no Relu or Clip that was taken into a node speaks against it.
 */
export function shareScales(
  graph: Graph,
  roles: readonly Role[],
  options: Int8StaticOptions,
): (value: string) => QuantParameters {
  const type = options.activations ?? 'u8';
  const groups = new Map<string, Group>();
  const groupOf = (value: string): Group => {
    const known = groups.get(value);
    if (known !== undefined) return known;
    const group: Group = {
      range: options.ranges.get(value) ?? { min: 0, max: 0 },
      fixed: undefined,
      clamps: [],
    };
    groups.set(value, group);
    return group;
  };
  for (const role of roles) {
    const [first = ''] = role.inputs;
    if (role.kind === 'direct') {
      groups.set(role.output, groupOf(first));
    } else {
      const fixed = role.node.opType === 'Softmax' ? softmaxParameters(type) : undefined;
      const range = options.ranges.get(role.output) ?? { min: 0, max: 0 };
      groups.set(role.output, { range, fixed, clamps: role.clamp === undefined ? [] : [role.clamp.bounds] });
    }
    if (role.node.opType !== 'Concat') continue;
    const tied = tieConcat(graph, role, groupOf, options);
    if (tied !== undefined) replaceGroups(groups, tied.parts, tied.whole);
  }
  return (value) => {
    const { fixed, range } = groupOf(value);
    return fixed ?? activationParameters(range, type);
  };
}

/** The groups that a Concat brings together, and the one they become; undefined where they cannot share. */
function tieConcat(
  graph: Graph,
  role: Role,
  groupOf: (value: string) => Group,
  { activations: type = 'u8' }: Int8StaticOptions,
): { readonly parts: ReadonlySet<Group>; readonly whole: Group } | undefined {
  if (role.inputs.some((input) => graph.soleConsumer(input) !== role.node)) return undefined;
  const parts = new Set([role.output, ...role.inputs].map(groupOf));
  if ([...parts].some(({ fixed }) => fixed !== undefined)) return undefined;
  const range = {
    min: Math.min(...[...parts].map((part) => part.range.min)),
    max: Math.max(...[...parts].map((part) => part.range.max)),
  };
  const representable = representableRange(activationParameters(range, type), type);
  const clamps = [...parts].flatMap((part) => part.clamps);
  if (!clamps.every((bounds) => impliesClamp(representable, bounds))) return undefined;
  return { parts, whole: { range, fixed: undefined, clamps } };
}

function replaceGroups(groups: Map<string, Group>, parts: ReadonlySet<Group>, whole: Group): void {
  for (const [value, group] of groups) if (parts.has(group)) groups.set(value, whole);
}

function softmaxParameters(type: 'u8' | 's8'): QuantParameters {
  return { scale: SOFTMAX_SCALE, zeroPoint: type === 'u8' ? 0 : -128 };
}
