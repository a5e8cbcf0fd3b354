/** `npm run bench -- NAME [options]`: runs one benchmark; docs/benchmarks.md says what each measures. */
import { reasonOf } from '../src/lib/errors.ts';

interface Benchmark {
  readonly summary: string;
  /** Runs it with the arguments behind its name; resolves with the exit code. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  serve: {
    summary: 'speed and memory of the agent beside a bare server and in-process inference',
    run: async (args) => (await import('./serve/bench-serve.ts')).benchServe(args),
  },
};

const USAGE_EXIT = 64;

function usage(): string {
  const names = Object.entries(BENCHMARKS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return [
    'Usage: npm run bench -- NAME [options]',
    '',
    'Benchmarks:',
    ...names,
    '',
    'Example: npm run bench -- serve --quick',
    'Options of one: npm run bench -- serve --help',
    '',
  ].join('\n');
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return 0;
  }
  const benchmark = Object.hasOwn(BENCHMARKS, name ?? '') ? BENCHMARKS[name ?? ''] : undefined;
  if (benchmark !== undefined) return benchmark.run(args);
  process.stderr.write(name === undefined ? usage() : `bench: there is no benchmark '${name}'\n\n${usage()}`);
  return USAGE_EXIT;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`bench: ${reasonOf(error)}\n`);
    process.exit(1);
  },
);
