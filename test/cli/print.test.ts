import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { printOutcome, printProblem } from '../../src/cli/print.ts';
import { paint } from '../../src/report/look.ts';

const COLORED = { color: true, now: 0 };
const STRANGE = 'a\x1b[2J\x1b[1m\u202e';

/** What is written to a stream by `print`. */
function written(print: (stream: NodeJS.WriteStream) => void): string {
  const stream = new PassThrough();
  print(stream as unknown as NodeJS.WriteStream);
  return stream.setEncoding('utf8').read() ?? '';
}

test('whatever text a command makes, nothing of it moves a terminal, and our own colours stay', () => {
  const outcome = { result: {}, text: () => `${paint(COLORED, 'green', 'ok')}\n${STRANGE}\n` };
  const [colored, plain] = [true, false].map((color) =>
    written((stdout) => printOutcome(outcome, false, stdout, { color, now: 0 })),
  );
  expect(colored).toBe('\x1b[32mok\x1b[39m\na␛[2J\x1b[1m\ufffd\n\n');
  expect(plain).not.toContain('\x1b');
});

test('whatever a problem tells, even its stack, nothing of it moves a terminal', () => {
  const problem = { code: 'BUG', message: 'm', stack: `at x\nat ${STRANGE}` } as const;
  const text = written((stderr) => printProblem(problem, false, { stdout: stderr, stderr }, { color: false, now: 0 }));
  expect(text).toBe('vhdvault: m [BUG]\nat x\nat a␛[2J␛[1m\ufffd\n');
});
