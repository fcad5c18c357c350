import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { runCli } from '../cli/run-cli.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const at = (name: string): string => join(temp.path, name);
const MIB = 1024 * 1024;
const SIZE = 4 * MIB;
const RATE = 4e6;
/** Seconds that reading so much takes, but for what two threads read last and a tenth of a second's worth. */
const LEAST = (SIZE - 2 * MIB) / RATE - 0.1;
/** What differs from run to run. */
const OF_EACH_RUN = ['point', 'started', 'finished', 'seconds', 'path'];

let env: Record<string, string>;
let count = 0;

const VERBS: Record<string, () => string[]> = {
  backup: () => ['backup', 'web01', at('disk.raw'), '--type', 'full'],
  'backup --dry-run': () => ['backup', 'web01', at('disk.raw'), '--type', 'full', '--dry-run'],
  restore: () => ['restore', 'web01', '--to', at(`${count++}.raw`)],
  verify: () => ['verify', '--read-data'],
};

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('disk.raw'), noise(1, SIZE));
  expect(await runCli(['init', '--compression', 'none'], env)).toMatchObject({ exitCode: 0 });
  expect(await runCli(['backup', 'web01', at('disk.raw')], env)).toMatchObject({ exitCode: 0 });
});

describe.each(Object.keys(VERBS))('%s --limit-rate', (verb) => {
  it('reads no faster than that, and tells the same', async () => {
    const limited = await told(verb, '--limit-rate', '4MB');
    expect(limited.seconds).toBeGreaterThan(LEAST);
    const free = await told(verb);
    expect(sameOfEach(limited.result)).toEqual(sameOfEach(free.result));
    // No more than there is to read.
    for (const rate of ['1.5 GiB', '1TB/s']) {
      const { result } = await told(verb, '--limit-rate', rate);
      expect(sameOfEach(result), rate).toEqual(sameOfEach(free.result));
    }
  });
});

interface Told {
  seconds: number;
  result: unknown;
}

async function told(verb: string, ...words: string[]): Promise<Told> {
  const { exitCode, stdout, stderr } = await runCli([...VERBS[verb]!(), ...words, '--threads', '2', '--json'], env);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
  if (verb === 'restore') expect(await readFile(at(`${count - 1}.raw`))).toEqual(await readFile(at('disk.raw')));
  const result = JSON.parse(stdout) as Told;
  return { seconds: result.seconds, result };
}

/** All but what differs anyway. */
function sameOfEach(result: unknown): unknown {
  return JSON.parse(
    JSON.stringify(result, (key, value: unknown) => (OF_EACH_RUN.includes(key) ? typeof value : value)),
  );
}
