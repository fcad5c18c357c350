import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from './mutants.ts';

/*
 * Breaks a copy of the project in one way after another, and runs the test file that must notice: `npm run test:mutants`. First
 * each of these files must be green on the project as it is.
 */
const ROOT = join(import.meta.dirname, '../..');
const PARTS = ['src', 'workers', 'test', 'fixtures', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'README.md'];
const THREADS = Math.max(1, Math.floor(availableParallelism() / 2));
const TIMED_OUT = /^(\w+: )?(Test|Hook) timed out in /;
const [only] = process.argv.slice(2);
/** As the lines begin; any other verdict proves nothing. */
const WORDS: Readonly<Record<string, string>> = { failed: 'caught  ', passed: 'SURVIVED' };

const mutants = MUTANTS.filter(({ name }) => only === undefined || name.includes(only));
const home = await mkdtemp(join(tmpdir(), 'vhdvault-mutants-'));
let survived = 0;
try {
  const files = [...new Set(mutants.map(({ red }) => red))];
  await inTurn(files, async (file, folder) => {
    const verdict = await verdictOf(folder, file);
    if (verdict === 'passed') return;
    survived++;
    print(`RED WITHOUT A MUTANT  ${file}: ${verdict}`);
  });
  await inTurn(mutants, async (mutant, folder) => {
    await apply(mutant, folder);
    const verdict = await verdictOf(folder, mutant.red);
    if (verdict !== 'failed') survived++;
    print(`${WORDS[verdict] ?? `NOT JUDGED, ${verdict}`}  ${mutant.name} (${mutant.red})`);
  });
} finally {
  await rm(home, { recursive: true, force: true });
}
print(`${mutants.length - survived} of ${mutants.length} mutants caught`);
process.exitCode = survived > 0 ? 1 : 0;

/** Each in a copy of its own. */
async function inTurn<T>(all: readonly T[], work: (one: T, folder: string) => Promise<void>): Promise<void> {
  const queue = [...all.entries()];
  const worker = async (name: number): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const folder = join(home, `${name}-${next[0]}`);
      await copyProject(folder);
      await work(next[1], folder);
      await rm(folder, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: THREADS }, (_, n) => worker(n)));
}

async function copyProject(folder: string): Promise<void> {
  await mkdir(folder);
  for (const part of PARTS) await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

async function apply({ name, file, from, to }: Mutant, folder: string): Promise<void> {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${name}: the text to change is not there once in ${file}`);
  const broken = text.replace(from, () => to);
  // What cannot even be read is caught by everything.
  stripTypeScriptTypes(broken);
  await writeFile(path, broken);
}

/** The part of vitest's report in JSON that is looked at. */
interface Report {
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; failureMessages: string[] | null }[];
  }[];
}

/** `passed` or `failed`, by the tests of this file alone; or why they tell neither. */
async function verdictOf(folder: string, file: string): Promise<string> {
  const path = join(folder, 'test', file);
  const told = join(folder, 'report.json');
  await runTests(folder, ['vitest', 'run', path, '--bail', '1', '--reporter=json', `--outputFile=${told}`]);
  const text = await readFile(told, 'utf8').catch(() => undefined);
  const found = text && (JSON.parse(text) as Report).testResults.find(({ name }) => name === path);
  if (!found) return 'the file was not run';
  const failed = found.assertionResults.filter(({ status }) => status === 'failed');
  if (failed.some(({ failureMessages }) => !failureMessages?.every((message) => TIMED_OUT.test(message))))
    return 'failed';
  if (failed.length > 0) return 'it took too long';
  if (found.status !== 'passed')
    return `no test failed, but: ${found.message.split('\n')[0] || 'something before them'}`;
  return found.assertionResults.some(({ status }) => status === 'passed') ? 'passed' : 'no test was run';
}

async function runTests(folder: string, words: readonly string[]): Promise<void> {
  const child = spawn('npx', words, { cwd: folder, stdio: 'ignore', env: { ...process.env, NODE_COMPILE_CACHE: '' } });
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
