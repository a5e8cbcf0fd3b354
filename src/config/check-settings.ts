import { type Explained, received } from './explain.ts';
import { formatPath, type Problem } from './problems.ts';
import type { Setting } from './settings.ts';
import { markOf, type SettingPath } from './source.ts';

// The size of `sun_path` in sockaddr_un is 108 with the NUL at its end (unix(7)).
const MAX_SOCKET_PATH_BYTES = 107;

/** What the schema cannot say: faults of paths, sockets and cron expressions. Paths are absolute here. */
export async function checkSettings(settings: readonly Setting[], context: Explained): Promise<Problem[]> {
  const problem = (path: SettingPath, text: string): Problem => ({
    at: markOf(context.tree, path, 'value'),
    path,
    text,
  });
  const problems: Problem[] = [];
  const sockets = new Map<string, SettingPath>();
  // Loaded here because nothing else of this module needs it; the same package runs the schedule.
  const { validate } = await import('node-cron');

  for (const { path, value, kinds } of settings) {
    if (typeof value !== 'string') continue;
    const kind = kinds[0];
    if ((kind === 'path' || kind === 'socket') && value.includes('\0')) {
      problems.push(problem(path, 'expected a path without NUL characters'));
    }
    if (kind === 'socket') {
      const length = Buffer.byteLength(value);
      const other = sockets.get(value);
      if (length > MAX_SOCKET_PATH_BYTES) {
        const text = `expected a socket path of at most ${MAX_SOCKET_PATH_BYTES} bytes, received one of ${length}`;
        problems.push(problem(path, text));
      } else if (other !== undefined) {
        problems.push(
          problem(path, `expected a socket path of its own, received that of ${formatPath(other)}`),
        );
      }
      sockets.set(value, path);
    }
    if (kind === 'cron' && !validate(value)) {
      const text = 'expected a cron expression such as "17 3 * * *", received';
      problems.push(problem(path, `${text} ${received(path, context)}`));
    }
  }
  return problems;
}
