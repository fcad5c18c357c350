import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const SOURCES = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'rolldown.config.ts',
  'src',
  'workers',
  '.github/CONTRIBUTING.md',
  'fixtures/diff.svg',
  'test/bench/IMAGES.md',
  'test/bench/LIMITS.md',
  'test/bench/RESULTS.md',
  'test/bench/SIZES.md',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
];

/** A project with the package in its node_modules, as users get it. */
export interface Project {
  folder: string;
  /** The package itself. */
  home: string;
  /** The program, in JavaScript. */
  bin: string;
  /** Every file of the package, as its tarball lists them. */
  files: readonly string[];
}

/** What a program in TypeScript has besides the package. */
const TYPES = ['@types/node'];

/**
 * Packs the package and unpacks it into an empty project. It is built in a copy: the checkout's dist/ may be in use. Its
 * dependencies are linked, not installed, so no network is needed.
 */
export async function packedProject(folder: string): Promise<Project> {
  const source = join(folder, 'source');
  const project = join(folder, 'project');
  const home = join(project, 'node_modules/vhdvault');
  await mkdir(source, { recursive: true });
  await mkdir(home, { recursive: true });
  for (const name of SOURCES) await cp(join(ROOT, name), join(source, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], { cwd: source });
  const tarball = join(folder, stdout.trim().split('\n').at(-1) as string);
  const { stdout: list } = await run('tar', ['-tzf', tarball]);
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', home]);
  await linkDependencies(home, project);
  const { bin } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { bin: { vhdvault: string } };
  const files = list.trim().split('\n');
  return {
    ...{ folder: project, home, bin: join(home, bin.vhdvault) },
    files: files.map((name) => name.replace(/^package\//, '')),
  };
}

async function linkDependencies(home: string, project: string): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), ...TYPES]) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
}
