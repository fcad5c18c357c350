import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyRepair, openForRepair } from '../../src/image/check/apply-repair.ts';
import { planRepair } from '../../src/image/check/plan-repair.ts';
import { readRepairState } from '../../src/image/check/repair-state.ts';
import { lockImage } from '../../src/image/image-lock.ts';
import { openImageFile } from '../../src/image/vhd/recognise.ts';
import { encodeBatmapHeader, openDisk, repairImage } from '../../src/image/vhd-parser.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { damaged, dynamicImage, fixedImage, TABLE, withEntry, withFooter, withHeader } from '../support/vhd-damage.ts';

const temp = tempFolder({ inMemory: true });

const HEALTHY = dynamicImage();
const END = HEALTHY.length - 512;
const MIB = 1024 * 1024;

/** Each image in a folder of its own, so that what lies beside it afterwards is known. */
async function placed(image: Uint8Array, name = 'x.vhd'): Promise<string> {
  const folder = temp.fresh('image');
  await mkdir(folder);
  await writeFile(join(folder, name), image);
  return join(folder, name);
}

async function content(path: string): Promise<Buffer | string> {
  try {
    await using disk = await openDisk(path);
    const bytes = Buffer.alloc(disk.size);
    await disk.read(0, bytes);
    return bytes;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function withSlack(slack: Uint8Array): Buffer {
  return Buffer.concat([HEALTHY.subarray(0, END), slack, HEALTHY.subarray(END)]);
}

const short = dynamicImage().subarray(0, -1);

/** What is mended, to which bytes. */
const MENDED: readonly (readonly [what: string, actions: number, image: () => Buffer, mended: () => Buffer])[] = [
  ['no footer at its end', 1, () => HEALTHY.subarray(0, END), () => HEALTHY],
  ['a damaged footer', 1, () => damaged(dynamicImage(), -400), () => HEALTHY],
  [
    'a block over its footer',
    2,
    () => Buffer.concat([HEALTHY.subarray(0, END), Buffer.alloc(8704, 0x55)]),
    () => HEALTHY,
  ],
  [
    'half a sector behind its data',
    2,
    () => Buffer.concat([HEALTHY.subarray(0, END), Buffer.alloc(700, 0x55)]),
    () => HEALTHY,
  ],
  ['no copy', 1, () => dynamicImage().fill(0, 0, 512), () => HEALTHY],
  ['a damaged copy', 1, () => damaged(dynamicImage(), 100), () => HEALTHY],
  ['a copy of another size', 1, () => withFooter(dynamicImage(), { currentSize: 512 }, ['start']), () => HEALTHY],
  ['garbage behind its data', 2, () => withSlack(Buffer.alloc(5000 - (5000 % 512), 0x55)), () => HEALTHY],
  ['garbage and a damaged copy', 3, () => damaged(withSlack(Buffer.alloc(512 * 20, 0x55)), 70), () => HEALTHY],
  ['a footer of 511 bytes', 1, () => short, () => HEALTHY],
  [
    'a footer of 511 bytes behind garbage',
    2,
    () => Buffer.concat([HEALTHY.subarray(0, END), Buffer.alloc(512 * 20, 0x55), HEALTHY.subarray(END, -1)]),
    () => HEALTHY,
  ],
  [
    'slack, as a fixed disk',
    2,
    () =>
      Buffer.concat([fixedImage(102400).subarray(0, -512), Buffer.alloc(1024, 1), fixedImage(102400).subarray(-512)]),
    () => fixedImage(102400),
  ],
  ['a footer of 511 bytes, as a fixed disk', 1, () => fixedImage(102400).subarray(0, -1), () => fixedImage(102400)],
];

/** What is left alone: it is legal, or only a guess would mend it. */
const LEFT: readonly (readonly [what: string, left: string[], image: () => Buffer])[] = [
  ['nothing', [], () => HEALTHY],
  ['slack as Windows leaves it', [], () => withSlack(Buffer.alloc(512 * 8))],
  ['a hidden copy', ['info VHD_FOOTERS_DIFFER'], () => withFooter(dynamicImage(), { hidden: true }, ['start'])],
  ['a bad table entry', ['damage VHD_BAT'], () => withEntry(dynamicImage(), 1, 0x80000000)],
  [
    'a bad header checksum',
    ['damage VHD_HEADER_CHECKSUM', 'info VHD_HEADER_RESERVED'],
    () => damaged(dynamicImage(), 1312),
  ],
  ['both footers damaged', ['damage VHD_FOOTER_CHECKSUM'], () => damaged(dynamicImage(), 26, -486)],
  ['a lost last block', ['damage VHD_TRUNCATED'], () => HEALTHY.subarray(0, END - 512)],
  [
    'a guest’s footer at its end',
    ['damage VHD_FOOTER_FIELD'],
    () => withFooter(dynamicImage(), { uniqueId: new Uint8Array(16).fill(9) }, ['end']),
  ],
  [
    'blocks that only unused entries name, at its end',
    ['info VHD_TABLE_EXTRA', 'info VHD_TABLE_SIZE', 'info VHD_GAPS'],
    () => {
      const image = withHeader(withSlack(Buffer.alloc(512 * 37, 1)), { maxTableEntries: 14 });
      return withEntry(image, 13, END / 512 + 20);
    },
  ],
];

describe('a repair', () => {
  it.each(MENDED)('of an image with %s makes it whole', async (_what, actions, image, mended) => {
    const path = await placed(image());
    const before = await content(path);
    const planned = await repairImage(path, { dryRun: true });
    expect(planned).toMatchObject({ copy: null, actions: { length: actions } });
    expect(await readFile(path)).toEqual(image());
    const result = await repairImage(path);
    expect(await readFile(path)).toEqual(mended());
    expect(result.actions).toEqual(planned.actions);
    expect(result.findings.map(({ code }) => code)).toEqual(planned.findings.map(({ code }) => code));
    expect(result.findings.filter(({ severity, cure }) => severity !== 'info' || cure.includes('vhd repair'))).toEqual(
      [],
    );
    expect(await content(path)).toEqual(before);
  });

  it.each(LEFT)('of an image with %s changes nothing, and tells what is left', async (_what, left, image) => {
    const path = await placed(image());
    const result = await repairImage(path);
    expect(result).toMatchObject({ path, copy: null, actions: [] });
    expect(await readFile(path)).toEqual(image());
    expect(readdirSync(join(path, '..'))).toEqual(['x.vhd']);
    const told = result.findings.map(({ severity, code }) => `${severity} ${code}`);
    expect(told).toEqual(expect.arrayContaining(left));
    expect(told.some((one) => one.startsWith('damage'))).toBe(left.some((one) => one.startsWith('damage')));
  });

  it.each(MENDED)(
    'of an image with %s opens and reads alike after each of its steps',
    async (_what, actions, image) => {
      for (let done = 0; done <= actions; done++) {
        const path = await placed(image());
        const before = await content(path);
        const layer = await openImageFile(path, undefined);
        const steps = planRepair(await readRepairState(layer)).slice(0, done);
        {
          await using _source = layer.source;
          await using handle = await openForRepair(path);
          await applyRepair(handle, path, steps, {});
        }
        expect(await content(path)).toEqual(before);
        // The next run finishes what this one left.
        await repairImage(path);
        expect((await repairImage(path)).actions).toEqual([]);
      }
    },
  );

  it.each(MENDED)(
    'of an image with %s can be taken back by the command in its copy',
    async (_what, _actions, image) => {
      const path = await placed(image());
      const { copy } = await repairImage(path);
      const { putBack, ranges } = JSON.parse(await readFile(copy!, 'utf8')) as { putBack: string; ranges: unknown[] };
      expect(ranges.length).toBeGreaterThan(0);
      execFileSync('sh', ['-c', putBack], { cwd: join(path, '..') });
      expect(await readFile(path)).toEqual(image());
    },
  );

  it('keeps what a last block that is cut short needs', async () => {
    // 199 sectors: of the last block, seven of sixteen.
    const image = withFooter(dynamicImage(), { currentSize: 199 * 512 });
    withEntry(image, 12, 21);
    withEntry(image, 2, 0xffffffff);
    const path = await placed(image.subarray(0, (21 + 1 + 7) * 512));
    const before = await content(path);
    expect(before).toHaveLength(199 * 512);
    await repairImage(path);
    expect(await content(path)).toEqual(before);
    expect((await stat(path)).size).toBe((21 + 17 + 1) * 512);
  });

  it('cuts no more than it can keep a copy of', async () => {
    const image = await placed(HEALTHY.subarray(0, END));
    await truncate(image, 65 * MIB);
    const { actions } = await repairImage(image);
    expect(actions).toMatchObject([{ offset: 65 * MIB, length: 512 }]);
    const again = await repairImage(image);
    expect(again.actions).toEqual([]);
    expect(again.findings.find(({ code }) => code === 'VHD_SLACK')?.cure).toContain('convert');
  });

  it('puts the copy where it is told, and never over another file', async () => {
    const bad = (): Buffer => damaged(dynamicImage(), 100);
    const folder = temp.fresh('copies');
    await mkdir(folder);
    const { copy } = await repairImage(await placed(bad()), { copyTo: folder });
    expect(copy).toMatch(new RegExp(`^${folder}/x\\.vhd\\.metadata-.*\\.json$`));
    const path = await placed(bad());
    expect(await repairImage(path, { copyTo: join(folder, 'mine') })).toMatchObject({ copy: join(folder, 'mine') });
    const other = await placed(bad());
    await expect(repairImage(other, { copyTo: join(folder, 'mine') })).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    await expect(repairImage(other, { copyTo: join(folder, 'none/mine') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await readFile(other)).toEqual(bad());
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('waits for nobody who writes to the image', async () => {
    const path = await placed(damaged(dynamicImage(), 100));
    await using _lock = await lockImage(path);
    await expect(repairImage(path)).rejects.toMatchObject({ code: 'IMAGE_LOCKED' });
    expect(await repairImage(path, { dryRun: true })).toMatchObject({ actions: { length: 1 } });
  });

  it('of what is no VHD, or encrypted, is refused', async () => {
    const raw = await placed(new Uint8Array(4096), 'x.img');
    await expect(repairImage(raw)).rejects.toMatchObject({ code: 'DISK_FORMAT_UNSUPPORTED' });
    const vhdx = await placed(Buffer.from('vhdxfile'.padEnd(512)), 'x.vhdx');
    await expect(repairImage(vhdx)).rejects.toMatchObject({ code: 'DISK_FORMAT_UNSUPPORTED' });
    // A guest can write the first sectors of its raw disk, so the end of one is never made a footer.
    const guest = await placed(Buffer.concat([HEALTHY.subarray(0, END), Buffer.alloc(8192, 1)]), 'x.img');
    await expect(repairImage(guest)).rejects.toMatchObject({ code: 'DISK_FORMAT_UNKNOWN' });
    await expect(repairImage(temp.path)).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    const locked = damaged(withSlack(Buffer.alloc(512 * 20)), 100);
    const keyHash = { nonce: new Uint8Array(32), hash: new Uint8Array(32) };
    const batmap = { mapOffset: 0, mapSectors: 0, version: 0x00010002, checksum: 0, marker: 0, keyHash };
    withEntry(locked, 0, 0xffffffff).set(encodeBatmapHeader(batmap), TABLE + 512);
    const tap = withFooter(locked, { creatorApplication: 'tap\0', creatorVersion: 0x00010003 }, ['end']);
    await expect(repairImage(await placed(tap))).rejects.toMatchObject({ code: 'VHD_ENCRYPTED' });
  });
});
