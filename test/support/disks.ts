import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeExt4, fillNtfs, makeExt4, makeNtfs } from '../../fixtures/make-disk.ts';
import { logText, noise } from '../../fixtures/noise.ts';
import { copyRealFiles } from '../../fixtures/real-files.ts';
import { sparseCopy } from '../../fixtures/sparse-copy.ts';

const MIB = 1024 * 1024;
const MODULES = join(import.meta.dirname, '../../node_modules');

/** A disk over time: what it was, as raw images, at first and after each of three rounds of change. */
export interface Story {
  rounds: readonly string[];
  /** No round changes more bytes than this. */
  mostChanged: number;
}

/** 40 MiB with about 12 MB of real files; its size is no multiple of the block size. */
export async function ext4Story(folder: string): Promise<Story> {
  const root = join(folder, 'files');
  await copyRealFiles(join(MODULES, '@types'), join(root, 'srv'), { bytes: 8 * MIB });
  await writeFile(join(root, 'app.log'), logText(1, 100_000));
  await writeFile(join(root, 'data.db'), noise(2, 3 * MIB));
  const image = join(folder, 'ext4.raw');
  await makeExt4(image, 40 * MIB + 5 * 4096, root);
  const added = join(folder, 'added');
  await writeFile(added, noise(3, MIB));
  const log = join(folder, 'log');
  await writeFile(log, logText(1, 180_000));
  const changes = [
    ['rm /app.log', `write ${log} /app.log`],
    ['mkdir /opt', `write ${added} /opt/program`, 'rm /data.db'],
    ['rm /opt/program', `write ${added} /data.db`, 'symlink /latest /data.db'],
  ];
  const rounds = await tell(
    image,
    changes.map((commands) => () => changeExt4(image, commands)),
  );
  return { rounds, mostChanged: 6 * MIB };
}

/** 24 MiB with about 6 MB of real files. */
export async function ntfsStory(folder: string): Promise<Story> {
  const image = join(folder, 'ntfs.raw');
  const first = join(folder, 'first');
  await copyRealFiles(join(MODULES, '@types/node'), first, { bytes: 3 * MIB });
  await writeFile(join(first, 'app.log'), logText(1, 100_000));
  await writeFile(join(first, 'data.db'), noise(2, 2 * MIB));
  await makeNtfs(image, 24 * MIB);
  await fillNtfs(image, first);
  const changes = [
    { 'app.log': Buffer.from(logText(1, 180_000)) },
    { program: noise(3, MIB), 'data.db': noise(4, 200_000) },
    { 'data.db': noise(5, 100), latest: noise(6, 700) },
  ];
  const rounds = await tell(
    image,
    changes.map((files, n) => () => addToNtfs(image, join(folder, `change-${n}`), files)),
  );
  return { rounds, mostChanged: 6 * MIB };
}

async function addToNtfs(image: string, folder: string, files: Record<string, Buffer>): Promise<void> {
  await mkdir(folder);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  await fillNtfs(image, folder);
}

async function tell(image: string, changes: readonly (() => Promise<void>)[]): Promise<string[]> {
  const rounds = [`${image}.0`];
  await sparseCopy(image, `${image}.0`);
  for (const [n, change] of changes.entries()) {
    await change();
    await sparseCopy(image, `${image}.${n + 1}`);
    rounds.push(`${image}.${n + 1}`);
  }
  return rounds;
}
