import { mkdir, mkdtempDisposable, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareDisks } from '../../fixtures/compare.ts';
import { EXT4_TOOLS, missingTool, NTFS_TOOLS } from '../../fixtures/make-disk.ts';
import { qemuAgrees } from '../../fixtures/second-opinion.ts';
import {
  backup,
  convertImage,
  createVault,
  openVault,
  type RestoreFormat,
  restore,
  systemRandom,
  type VaultSession,
} from '../../src/index.ts';
import { ext4Story, ntfsStory, type Story } from '../support/disks.ts';
import { describeIf } from '../support/tool.ts';

const SOURCES = ['dynamic', 'fixed', 'raw'] as const;
const FORMATS: readonly RestoreFormat[] = ['original', 'fixed', 'dynamic', 'raw'];

const stories = [
  { name: 'ext4', tools: EXT4_TOOLS, begin: ext4Story },
  { name: 'NTFS', tools: NTFS_TOOLS, begin: ntfsStory },
];

for (const { name, tools, begin } of stories) {
  const missing = missingTool(tools);
  describeIf(missing === undefined, `${missing} is not installed`, `a disk with an ${name} and real files`, () => {
    let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
    let story: Story;

    beforeAll(async () => {
      folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-e2e-'));
      story = await begin(folder.path);
    });
    afterAll(() => folder.remove());

    describe.each(SOURCES)('kept as a %s image', (source) => {
      it('comes back bit for bit from each of four points, in every format', async () => {
        const home = join(folder.path, source);
        await mkdir(home);
        await using session = await newVault(home);
        const points = await backUpEach(session, story, source, home);
        for (const [n, point] of points.entries()) {
          for (const format of FORMATS) {
            const to = join(home, `${n}-${format}.${targetEnding(format, source)}`);
            const { disks } = await restore(session, `machine@${point}`, { to, format });
            await expectSame(to, disks[0]?.format ?? '', story.rounds[n] as string);
            await rm(to);
          }
        }
      });
    });
  });
}

async function newVault(home: string): Promise<VaultSession> {
  await writeFile(join(home, 'key'), Buffer.alloc(32, 7));
  const options = {
    keyFile: join(home, 'key'),
    cache: join(home, 'cache'),
    state: join(home, 'state'),
    threads: 2,
  };
  await createVault(join(home, 'vault'), options);
  return openVault(join(home, 'vault'), options);
}

/** One point for each round, of one image that changes; all but the first must be incremental, and small. */
async function backUpEach(
  session: VaultSession,
  story: Story,
  source: (typeof SOURCES)[number],
  home: string,
): Promise<string[]> {
  const path = join(home, source === 'raw' ? 'machine.img' : 'machine.vhd');
  const points: string[] = [];
  for (const [n, round] of story.rounds.entries()) {
    await convertImage(round, path, {
      format: source,
      sourceFormat: 'raw',
      force: true,
      random: systemRandom,
      now: Date.now(),
    });
    const made = await backup(session, 'machine', [{ name: 'os', address: { kind: 'file', path } }]);
    expect(made.type).toBe(n === 0 ? 'full' : 'incremental');
    expect(made.disks[0]?.format).toBe(source === 'raw' ? 'raw' : `vhd-${source}`);
    expect(made.bytes.changed).toBeGreaterThan(0);
    if (n > 0) expect(made.bytes.changed).toBeLessThan(story.mostChanged);
    points.push(made.point);
  }
  return points;
}

function targetEnding(format: RestoreFormat, source: (typeof SOURCES)[number]): string {
  return (format === 'original' ? source : format) === 'raw' ? 'raw' : 'vhd';
}

/** By our own eyes, and by qemu-img's where it is there. */
async function expectSame(path: string, format: string, round: string): Promise<void> {
  const as = format === 'raw' ? 'raw' : 'vhd';
  const { difference } = await compareDisks({ path, format: as }, { path: round, format: 'raw' });
  expect(difference, `${path} against ${round}`).toBeUndefined();
  expect(await qemuAgrees(path, round, as === 'raw' ? 'raw' : 'vpc'), `qemu-img on ${path}`).not.toBe(false);
}
