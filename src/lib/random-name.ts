/**
 * A name that nobody else has: `length` hex digits (at most 24) that tell processes and calls apart. For files that
 * are made with O_EXCL and for identities in logs, never for secrets: node:crypto would keep 2 MB of the agent's memory.
 */
export function randomName(length: number): string {
  const word = (): string =>
    Math.floor(Math.random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  return (word() + word() + word()).slice(0, length);
}
