import { reasonOf } from '../../src/lib/errors.ts';
import type { HelperAnswer } from './helper-process.ts';

/** The child's side of `HelperProcess`: answers questions until the bench is gone. */
export function serveHelper<Question, Answer>(answer: (question: Question) => Promise<Answer>): void {
  process.on('message', (question) => {
    answer(question as Question).then(
      (value) => tell({ answer: value }),
      (error: unknown) => tell({ fault: reasonOf(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

function tell(message: HelperAnswer<unknown>): void {
  process.send?.(message);
}
