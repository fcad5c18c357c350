import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
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
const [only] = process.argv.slice(2);

const mutants = MUTANTS.filter(({ name }) => only === undefined || name.includes(only));
const home = await mkdtemp(join(tmpdir(), 'vhdvault-mutants-'));
let survived = 0;
try {
  const files = [...new Set(mutants.map(({ red }) => red))];
  await inTurn(files, async (file, folder) => {
    if (await isGreen(folder, file)) return;
    survived++;
    print(`RED WITHOUT A MUTANT  ${file}`);
  });
  await inTurn(mutants, async (mutant, folder) => {
    await apply(mutant, folder);
    const isCaught = !(await isGreen(folder, mutant.red));
    if (!isCaught) survived++;
    print(`${isCaught ? 'caught  ' : 'SURVIVED'}  ${mutant.name} (${mutant.red})`);
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
  await writeFile(
    path,
    text.replace(from, () => to),
  );
}

function isGreen(folder: string, file: string): Promise<boolean> {
  const words = ['vitest', 'run', join('test', file), '--bail', '1'];
  const child = spawn('npx', words, { cwd: folder, stdio: 'ignore', env: { ...process.env, NODE_COMPILE_CACHE: '' } });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
