import { type Command, InvalidArgumentError } from 'commander';
import { inferenceSocket } from './agent-sockets.ts';

/** What the command line says besides model and file. */
export interface InferOptions {
  readonly socket: string;
  readonly json?: boolean;
  /** Predictions to show; by default as many as the model's task says. */
  readonly topK?: number;
}

const EXAMPLES = `
FILE is an image (JPEG, PNG, WebP) for the model's task, or a request of the Open Inference Protocol as JSON (a name
that ends in .json, or text that starts with a brace). With --top-k the task reads the outputs of a JSON request too.

Examples:
  $ selvage infer clothes photo.jpg
  $ selvage infer clothes photo.jpg --top-k 1 --json | jq -r .predictions[0].label
  $ selvage infer clothes request.json
  $ curl -s http://camera/still.jpg | selvage infer clothes -
`;

/** Adds `selvage infer`. */
export function registerInfer(program: Command): void {
  program
    .command('infer')
    .description('send a file to a model of the running agent and show its answer')
    .argument('<model>', 'name of the model')
    .argument('<file>', 'what to send; - for standard input')
    .option(
      '--top-k <n>',
      "predictions to show; by default as many as the model's task says",
      positiveInteger,
    )
    .option('--socket <path>', 'inference socket of the agent', inferenceSocket())
    .option('--json', "print the agent's answer as JSON")
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, file: string, options: InferOptions) => {
      const { inferFile } = await import('./infer-file.ts');
      await inferFile(model, file, options);
    });
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is not a positive integer.');
  return Number(text);
}
