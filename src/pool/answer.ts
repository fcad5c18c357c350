import { fromPlain, type PlainError, toPlain } from '../base/errors.ts';

/** What a worker sends back: piscina drops the class and the properties of a thrown error, so errors travel as data. */
export type Answer<Output> = { ok: true; value: Output } | { ok: false; error: PlainError };

/** Wraps a task's function for its worker file. */
export function answering<Input, Output>(
  run: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Answer<Output>> {
  return async (input) => {
    try {
      return { ok: true, value: await run(input) };
    } catch (error) {
      return { ok: false, error: toPlain(error) };
    }
  };
}

export function unwrap<Output>(answer: Answer<Output>): Output {
  if (answer.ok) return answer.value;
  throw fromPlain(answer.error);
}
