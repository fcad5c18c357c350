import { join } from 'node:path';
import { execa } from 'execa';

export const BIN: string = join(import.meta.dirname, '../../src/cli/bin.ts');

export interface Ended {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** Runs the program as a child, with nothing of this machine's vaults in its environment and no terminal. */
export async function runCli(
  words: readonly string[],
  env: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
): Promise<Ended> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VHDVAULT_')));
  const ended = await execa(process.execPath, [...nodeOptions, BIN, ...words], {
    env: { ...clean, ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
  return { exitCode: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr };
}
