import { type Column, formatTable } from '../src/cli/output.ts';

/** What a figure says and what it must reach. */
export interface Goal {
  readonly name: string;
  /** What is measured, in words. */
  readonly goal: string;
  readonly unit: string;
  readonly limit: number;
  readonly bound: 'at most' | 'at least';
}

/** A goal with what was reached. `value` and `met` are null where it was not measured; `note` then says why. */
export interface Figure extends Goal {
  readonly value: number | null;
  /** p5..p95 over rounds; null where there is one value only. */
  readonly spread: readonly [low: number, high: number] | null;
  readonly met: boolean | null;
  /** What was measured in the same run for comparison, by name with the unit in it. */
  readonly peers?: Readonly<Record<string, number>>;
  readonly note?: string;
}

/** What was measured for a goal. */
export interface Reached {
  readonly value: number;
  readonly spread?: readonly [low: number, high: number];
  readonly peers?: Readonly<Record<string, number>>;
  readonly note?: string;
}

/** The goal with what was reached. */
export function figure(goal: Goal, reached: Reached): Figure {
  const { value, spread, peers, note } = reached;
  return {
    ...goal,
    value: rounded(value),
    spread: spread === undefined ? null : [rounded(spread[0]), rounded(spread[1])],
    met: goal.bound === 'at most' ? value <= goal.limit : value >= goal.limit,
    ...(peers && {
      peers: Object.fromEntries(Object.entries(peers).map(([key, one]) => [key, rounded(one)])),
    }),
    ...(note !== undefined && { note }),
  };
}

/** The goal without a value, and why there is none. */
export function notMeasured(goal: Goal, note: string): Figure {
  return { ...goal, value: null, spread: null, met: null, note };
}

/** The figures as a table for people, with peers and notes below it. */
export function formatFigures(figures: readonly Figure[]): string {
  const columns: Column<Figure>[] = [
    { title: 'FIGURE', value: ({ name }) => name },
    { title: 'VALUE', value: ({ value }) => value ?? undefined, align: 'right' },
    { title: 'P5..P95', value: ({ spread }) => spread?.join('..') },
    {
      title: 'GOAL',
      value: ({ bound, limit, unit }) => `${bound === 'at most' ? '≤' : '≥'} ${limit} ${unit}`,
    },
    { title: 'MET', value: ({ met }) => (met === null ? undefined : met ? 'yes' : 'NO') },
  ];
  return [formatTable(figures, columns), '', ...figures.map(describe)].join('\n');
}

function describe({ name, goal, peers, note }: Figure): string {
  const beside = Object.entries(peers ?? {}).map(([peer, value]) => `${peer} ${value}`);
  const lines = [`${name}: ${goal}`];
  if (beside.length > 0) lines.push(`  beside it: ${beside.join(', ')}`);
  if (note !== undefined) lines.push(`  ${note}`);
  return lines.join('\n');
}

/** Four digits say all that a measurement can. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
