/**
 * Looks for a cycle in a graph in which node `i` needs the nodes `needs[i]` first (Kahn's algorithm).
 * Returns the nodes of one cycle, each needed by the next, or undefined where there is none. Linear in time.
 */
export function findCycle(needs: readonly (readonly number[])[]): number[] | undefined {
  const waiting = needs.map((list) => list.length);
  const users: number[][] = needs.map(() => []);
  for (const [node, list] of needs.entries()) {
    for (const needed of list) users[needed]?.push(node);
  }
  const ready = [...needs.keys()].filter((node) => waiting[node] === 0);
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    for (const user of users[node] ?? []) {
      const left = (waiting[user] ?? 0) - 1;
      waiting[user] = left;
      if (left === 0) ready.push(user);
    }
  }
  const start = waiting.findIndex((count) => count > 0);
  return start === -1 ? undefined : followBack(needs, waiting, start);
}

/** Every node that still waits needs another that does, so going back along them must come round. */
function followBack(
  needs: readonly (readonly number[])[],
  waiting: readonly number[],
  start: number,
): number[] {
  const seenAt = new Map<number, number>();
  const path: number[] = [];
  let node: number | undefined = start;
  while (node !== undefined && !seenAt.has(node)) {
    seenAt.set(node, path.length);
    path.push(node);
    node = needs[node]?.find((needed) => (waiting[needed] ?? 0) > 0);
  }
  return path.slice(seenAt.get(node ?? start)).reverse();
}
