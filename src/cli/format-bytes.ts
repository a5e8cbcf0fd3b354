const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** A size for people, with at most one decimal, such as `512 bytes`, `32 KiB` or `3.7 GiB`. */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1024) return `${sizeBytes} bytes`;
  const power = Math.min(Math.floor(Math.log2(sizeBytes) / 10), UNITS.length);
  return `${Number((sizeBytes / 1024 ** power).toFixed(1))} ${UNITS[power - 1]}`;
}
