import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { VhdvaultError } from '../base/errors.ts';
import type { Run } from './command.ts';

/**
 * Reads one line for each prompt from the terminal, without echo. Ctrl-C is the signal that it always is; after Ctrl-D
 * the lines that are left are empty. One reader for all: a second one would lose what was typed ahead.
 */
export function askPassphrases(run: Run, prompts: readonly string[]): Promise<string[]> {
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: run.stdin, output: mute, terminal: true, historySize: 0 });
  const answers: string[] = [];
  run.stderr.write(prompts[0]!);
  return new Promise<string[]>((resolve, reject) => {
    const cancel = (): void => reject(new VhdvaultError('CANCELLED', 'cancelled while the passphrase was asked for'));
    run.signal.addEventListener('abort', cancel, { once: true });
    reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    reader.on('line', (line) => {
      answers.push(line);
      if (answers.length >= prompts.length) resolve(answers);
      else run.stderr.write(`\n${prompts[answers.length]}`);
    });
    reader.on('close', () => resolve(prompts.map((_, index) => answers[index] ?? '')));
  }).finally(() => {
    reader.close();
    run.stderr.write('\n');
  });
}
