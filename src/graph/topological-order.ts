/**
 * The indices 0 … n-1 in an order in which each comes after those in `needs[i]`, as near to their own order as that
 * allows: each index directly after the last of what it needs that was not there yet. There must be no cycle.
 */
export function topologicalOrder(needs: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const opened = new Uint8Array(needs.length);
  for (const start of needs.keys()) {
    // A chain can be as long as the graph, so this keeps its own stack.
    const stack = [start];
    for (let index = stack.at(-1); index !== undefined; index = stack.at(-1)) {
      if (opened[index] === 0) {
        opened[index] = 1;
        for (const needed of (needs[index] ?? []).toReversed()) if (opened[needed] === 0) stack.push(needed);
      } else {
        stack.pop();
        if (opened[index] === 1) order.push(index);
        opened[index] = 2;
      }
    }
  }
  return order;
}
