import { ERROR_TABLE } from '../../src/lib/errors.ts';
import { code, markdownTable } from './markdown.ts';

const INTRO = `# Errors

Generated from the table in \`src/lib/errors.ts\` by \`npm run generate\`.

Everything that can go wrong for a user has a code here. Over HTTP an error is \`{"error": "message"}\` with the
status given, over gRPC the status name with the message. On the command line the message and what to do go to
standard error, and the exit code is the one given (those from 64 on are those of sysexits.h). Words in braces are filled in.
`;

/** docs/errors.md: every error with its message, its statuses and what to do. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_TABLE).map(([name, { message, http, grpc, exit, hint }]) => [
    code(name),
    message,
    String(http),
    grpc,
    String(exit),
    hint,
  ]);
  const table = markdownTable(['Code', 'Message', 'HTTP', 'gRPC', 'Exit', 'What to do'], rows);
  return `${INTRO}\n${table}\n`;
}
