/**
 * Measures several things in turn, `rounds` times, so that whatever else the machine does meets all of them; each
 * round begins with another one. Resolves with the results of each in the order of the rounds.
 */
export async function interleave<Name extends string, Result>(
  rounds: number,
  sides: Readonly<Record<Name, () => Promise<Result>>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(sides) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < names.length; place++) {
      const name = names[(round + place) % names.length] as Name;
      results[name].push(await sides[name]());
    }
  }
  return results;
}

/** Combines two sides round by round, such as to their ratio. */
export function perRound(
  left: readonly number[],
  right: readonly number[],
  combine: (left: number, right: number) => number,
): number[] {
  return left.map((value, round) => combine(value, right[round] ?? Number.NaN));
}

/** The ratio of two sides, for `perRound`. */
export function ratio(left: number, right: number): number {
  return left / right;
}
