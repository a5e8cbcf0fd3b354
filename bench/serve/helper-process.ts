import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Workplace } from './workplace.ts';

/** A message from a helper: the answer to the question before it, or why there is none. */
export type HelperAnswer<Answer> = { readonly answer: Answer } | { readonly fault: string };

/** The bench's side of a helper (`serveHelper`): a process of its own that answers one question after the other. */
export class HelperProcess<Question extends object, Answer> {
  readonly #workplace: Workplace;
  readonly #child: ChildProcess;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  /** Starts `module` (beside this file) with arguments. */
  constructor(workplace: Workplace, module: string, args: readonly string[] = []) {
    this.#workplace = workplace;
    const path = fileURLToPath(new URL(module, import.meta.url));
    this.#child = workplace.spawnNode([path, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
    this.#child.on('message', (message) => this.#onMessage(message as HelperAnswer<Answer>));
    const end = (reason: string): void => {
      this.#ended ??= new Error(`${module} ended: ${reason}`);
      this.#settle?.reject(this.#ended);
    };
    this.#child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    this.#child.on('error', (error) => end(error.message));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the helper has no process');
    return this.#child.pid;
  }

  /** Asks one question; rejects with the helper's fault, or when the helper ends. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#settle = { resolve, reject };
      this.#child.send(question);
    });
  }

  stop(): Promise<void> {
    return this.#workplace.stop(this.#child);
  }

  #onMessage(message: HelperAnswer<Answer>): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if ('fault' in message) settle?.reject(new Error(message.fault));
    else settle?.resolve(message.answer);
  }
}
