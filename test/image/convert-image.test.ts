import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convertImage, imageFacts, openDisk, systemRandom } from '../../src/image/vhd-parser.ts';
import { discard, partPath, publishFile } from '../../src/io/atomic-file.ts';
import { describeWithTool, runTool } from '../support/tool.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { chains, link } from '../support/vhd-program.ts';

const folder = imageFolder();
const MIB = 1024 * 1024;
const defaults = { random: systemRandom, now: Date.UTC(2024, 0, 1) };
let count = 0;

async function ownFolder(): Promise<string> {
  const path = folder.file(`case${count++}`);
  await mkdir(path);
  return path;
}

async function readAll(path: string): Promise<Uint8Array> {
  await using disk = await openDisk(path);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

/** 9 MiB with data in three places, sparse between. */
async function rawDisk(own: string): Promise<string> {
  const path = join(own, 'disk.raw');
  const bytes = Buffer.alloc(9 * MIB);
  bytes
    .fill('first', 0, 1000)
    .fill('middle', 5 * MIB - 7, 5 * MIB + 70000)
    .fill('last', 9 * MIB - 512);
  await writeFile(path, bytes);
  return path;
}

describe('a conversion', () => {
  it('keeps every byte of a chain, in every format', async () => {
    await fc.assert(
      fc.asyncProperty(chains(), fc.constantFrom('fixed', 'dynamic', 'raw'), async (links, format) => {
        const own = await ownFolder();
        const { paths, oracle } = await buildChain(own, links);
        const target = join(own, format === 'raw' ? 'target.img' : 'target.vhd');
        const result = await convertImage(paths.at(-1)!, target, { ...defaults, format });
        expect(Buffer.compare(await readAll(target), oracle)).toBe(0);
        expect(result.bytes.written + result.bytes.skipped).toBe(oracle.byteLength);
      }),
      { numRuns: 40 },
    );
  });

  it('goes round from raw to dynamic to fixed to raw, and leaves zeros out', async () => {
    const own = await ownFolder();
    const raw = await rawDisk(own);
    const steps = [
      { format: 'dynamic', name: 'a.vhd' },
      { format: 'fixed', name: 'b.vhd' },
      { format: 'dynamic', name: 'c.vhd' },
      { format: 'raw', name: 'd.raw' },
    ] as const;
    let from = raw;
    for (const { format, name } of steps) {
      const result = await convertImage(from, join(own, name), { ...defaults, format });
      expect(result.bytes.written).toBeLessThan(MIB);
      from = join(own, name);
    }
    expect(Buffer.compare(await readFile(from), await readFile(raw))).toBe(0);
    expect((await imageFacts(join(own, 'a.vhd'))).facts).toMatchObject({ allocatedBlocks: 3, blockSize: 2 * MIB });
    for (const name of ['b.vhd', 'd.raw']) expect((await stat(join(own, name))).blocks * 512).toBeLessThan(2 * MIB);
  });

  it('reads only what is stored', async () => {
    const own = await ownFolder();
    await convertImage(await rawDisk(own), join(own, 'a.vhd'), { ...defaults, format: 'dynamic' });
    const { bytes } = await convertImage(join(own, 'a.vhd'), join(own, 'b.vhd'), { ...defaults, format: 'fixed' });
    expect(bytes.read).toBe(5 * MIB);
  });

  it('never replaces a file unless forced, and never the source or one of its parents', async () => {
    const own = await ownFolder();
    const { paths } = await buildChain(own, [link('fixed'), link('differencing')]);
    const [parent, child] = paths as [string, string];
    const before = await readFile(parent);
    const other = join(own, 'other.vhd');
    await writeFile(other, 'precious');
    const alias = join(own, 'alias.vhd');
    await symlink(parent, alias);
    const to = (target: string, force: boolean): Promise<unknown> =>
      convertImage(child, target, { ...defaults, format: 'fixed', force });
    await expect(to(other, false)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(await readFile(other, 'utf8')).toBe('precious');
    for (const target of [child, parent, alias, own]) {
      await expect(to(target, true), target).rejects.toMatchObject({ code: 'TARGET_UNUSABLE' });
    }
    expect(Buffer.compare(await readFile(parent), before)).toBe(0);
    await to(other, true);
    expect(Buffer.compare(await readAll(other), await readAll(child))).toBe(0);
  });

  it('leaves nothing behind when it is cancelled or the source changes', async () => {
    const own = await ownFolder();
    const raw = await rawDisk(own);
    for (const format of ['fixed', 'dynamic', 'raw'] as const) {
      const cancel = new AbortController();
      const run = convertImage(raw, join(own, 'x.vhd'), {
        ...defaults,
        format,
        signal: cancel.signal,
        onProgress: () => cancel.abort(),
      });
      await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
      let touched = false;
      const racing = convertImage(raw, join(own, 'x.vhd'), {
        ...defaults,
        format,
        onProgress: () => {
          if (!touched) appendFileSync(raw, new Uint8Array(512));
          touched = true;
        },
      });
      await expect(racing).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
      expect(touched).toBe(true);
      await truncate(raw, 9 * MIB);
    }
    expect(await readdir(own)).toEqual(['disk.raw']);
  });

  it('says that the folder of the target is missing', async () => {
    const own = await ownFolder();
    const run = convertImage(await rawDisk(own), join(own, 'none/x.vhd'), { ...defaults, format: 'raw' });
    await expect(run).rejects.toMatchObject({ code: 'NOT_FOUND', details: { path: join(own, 'none') } });
  });

  it('tells how far it is, up to the end', async () => {
    const own = await ownFolder();
    const seen: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      expect(total).toBe(9 * MIB);
      seen.push(done);
    };
    await convertImage(await rawDisk(own), join(own, 'x.vhd'), { ...defaults, format: 'dynamic', onProgress });
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(9 * MIB);
  });
});

describeWithTool('qemu-img', 'qemu-img', () => {
  it('finds a converted chain identical in all formats', async () => {
    const own = await ownFolder();
    const writes = [{ sector: 3, count: 50, seed: 3 }];
    const { paths } = await buildChain(own, [
      link('dynamic', { writes }),
      link('differencing', { writes: [{ ...writes[0]!, sector: 33 }] }),
    ]);
    for (const format of ['fixed', 'dynamic', 'raw'] as const) {
      await convertImage(paths[1]!, join(own, format), { ...defaults, format });
    }
    runTool('qemu-img', 'compare', '-f', 'vpc', '-F', 'vpc', join(own, 'fixed'), join(own, 'dynamic'));
    runTool('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', join(own, 'raw'), join(own, 'dynamic'));
  });
});

describe('a part that is published', () => {
  it('appears under its name only when nothing is there, or when forced; the part is gone', async () => {
    const own = await ownFolder();
    const target = join(own, 'target');
    const part = partPath(target, systemRandom);
    await writeFile(part, 'one');
    await publishFile(part, target);
    expect(await readdir(own)).toEqual(['target']);
    await writeFile(part, 'two');
    await expect(publishFile(part, target)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(await readFile(target, 'utf8')).toBe('one');
    await publishFile(part, target, { force: true });
    expect(await readFile(target, 'utf8')).toBe('two');
    expect(await readdir(own)).toEqual(['target']);
    await discard(part);
  });

  it('never replaces what is no file, even when forced', async () => {
    const own = await ownFolder();
    const part = join(own, 'part');
    await writeFile(part, 'x');
    await mkdir(join(own, 'sub'));
    for (const target of [join(own, 'sub'), '/dev/null']) {
      await expect(publishFile(part, target, { force: true })).rejects.toMatchObject({ code: 'TARGET_UNUSABLE' });
    }
  });

  it('has a name beside its target, of bounded length', () => {
    const part = partPath(`/a/${'é'.repeat(127)}`, systemRandom);
    expect(part.startsWith('/a/.é')).toBe(true);
    expect(Buffer.byteLength(part.slice(3))).toBeLessThanOrEqual(255);
    expect(part).not.toContain('�');
  });
});
