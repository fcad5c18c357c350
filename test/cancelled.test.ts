import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as library from '../src/index.ts';
import { readDoors } from './support/doors.ts';
import { PASSPHRASE } from './support/fixed-parts.ts';
import { tempFolder } from './support/temp-folder.ts';
import { noise, openBench, type VaultBench } from './support/vault-bench.ts';

type Library = typeof library;
type Waits = (...args: never[]) => Promise<unknown>;
type WaitingName = { [K in keyof Library]: Library[K] extends Waits ? K : never }[keyof Library];
type Call = (options: { signal: AbortSignal }) => Promise<unknown>;

const SIZE = 64 * 1024;
const temp = tempFolder({ inMemory: true });
const cancelled = { signal: AbortSignal.abort() };
const plan = library.planImage({ format: 'raw', size: SIZE });
const open = new AsyncDisposableStack();
let bench: VaultBench;
let session: library.VaultSession;
let disks: library.Disk[];
let writer: library.ImageWriter;
let writable: library.WritableDisk;
let [disk, image, target, vhd, child] = ['', '', '', '', ''];

beforeAll(async () => {
  [disk, image, target] = [temp.fresh('disk'), temp.fresh('image'), temp.fresh('target')];
  await writeFile(disk, noise(SIZE, 1));
  bench = await openBench(temp.fresh('bench'), { where: 'folder' });
  session = open.use(await bench.open());
  await library.backup(session, 'item', [disk]);
  disks = [open.use(await library.openDisk(disk)), open.use(await library.openPoint(session, 'item'))];
  await library.createPlannedImage(image, plan);
  writer = open.use(await library.openImageWriter(image, plan));
  [vhd, child] = [temp.fresh('base.vhd'), temp.fresh('child.vhd')];
  await (await library.createImage(vhd, { type: 'dynamic', size: SIZE }))[Symbol.asyncDispose]();
  await (await library.createImage(child, { type: 'differencing', parent: vhd }))[Symbol.asyncDispose]();
  writable = open.use(await library.createImage(temp.fresh('writable.vhd'), { type: 'dynamic', size: SIZE }));
});
afterAll(() => open.disposeAsync());

const places = (): library.SessionOptions => ({ ...PASSPHRASE, cache: `${target}.cache`, state: `${target}.state` });

const functions: Record<WaitingName, Call> = {
  addKey: (options) => library.addKey(session, { ...options, passphrase: 'new' }),
  backup: (options) => library.backup(session, 'item', [disk], options),
  changeKey: (options) => library.changeKey(session, { ...options, passphrase: 'new' }),
  checkImage: (options) => library.checkImage(vhd, options),
  convertImage: (options) => library.convertImage(disk, target, { ...options, format: 'dynamic' }),
  createImage: (options) => library.createImage(target, { ...options, type: 'dynamic', size: SIZE }),
  createPlannedImage: (options) => library.createPlannedImage(target, plan, options),
  createVault: (options) => library.createVault(target, { ...options, ...places() }),
  diff: (options) => library.diff(session, 'item', 'item', options),
  findChildren: (options) => library.findChildren({ path: vhd, uniqueId: null }, [], options),
  forget: (options) => library.forget(session, { rules: { last: 1 } }, options),
  gc: (options) => library.gc(session, options),
  imageChain: (options) => library.imageChain(vhd, options),
  imageFacts: (options) => library.imageFacts(disk, options),
  items: (options) => library.items(session, options),
  listKeys: (options) => library.listKeys(session, options),
  mergeImage: (options) => library.mergeImage(child, options),
  openDisk: (options) => library.openDisk(disk, options),
  openImageWriter: (options) => library.openImageWriter(image, plan, options),
  openPoint: (options) => library.openPoint(session, 'item', undefined, options),
  openVault: (options) => library.openVault(bench.address, { ...options, ...places() }),
  openWritable: (options) => library.openWritable(vhd, options),
  pin: (options) => library.pin(session, 'item', options),
  points: (options) => library.points(session, undefined, options),
  previewBackup: (options) => library.previewBackup(session, 'item', [disk], options),
  protect: (options) => library.protect(session, { ...options, minRetention: '1d' }),
  removeKey: (options) => library.removeKey(session, '0', options),
  repairImage: (options) => library.repairImage(vhd, options),
  resizeImage: (options) => library.resizeImage(vhd, 2 * SIZE, options),
  restore: (options) => library.restore(session, 'item', { ...options, to: target }),
  repairVault: (options) => library.repairVault(session, options),
  scrub: (options) => library.scrub(bench.address, options),
  show: (options) => library.show(session, 'item', options),
  stats: (options) => library.stats(session, options),
  unforget: (options) => library.unforget(session, ['item'], options),
  unpin: (options) => library.unpin(session, 'item', options),
  verify: (options) => library.verify(session, options),
};

/** What can be waited for on what was opened; a disk of an image and one of a point must fail alike. */
const methods: Record<string, Call> = {
  'Disk.read': (options) => onDisks((one) => one.read(0, new Uint8Array(512), options)),
  'Disk.extents': (options) => onDisks((one) => Array.fromAsync(one.extents(0, SIZE, options))),
  'Disk.generation': (options) => onDisks((one) => one.generation(options)),
  'ImageWriter.write': (options) => writer.write(0, noise(512, 2), options),
  'ImageWriter.sync': (options) => writer.sync(options),
  'WritableDisk.write': (options) => writable.write(0, noise(512, 2), options),
  'WritableDisk.sync': (options) => writable.sync(options),
};

describe('what is cancelled before it began', () => {
  it('is all that the library has to wait for', () => {
    const exports = readDoors(['src/index.ts']).get('src/index.ts')!;
    const names = exports.filter(({ kind, waits }) => kind === 'function' && waits !== 'no').map(({ name }) => name);
    const onOpened = exports.flatMap(({ name, members }) =>
      members.filter(({ waits }) => waits !== 'no').map((member) => `${name}.${member.name}`),
    );
    expect(Object.keys(functions).sort()).toEqual(names.sort());
    expect(Object.keys(methods).sort()).toEqual(onOpened.sort());
  });

  it.each([...Object.entries(functions), ...Object.entries(methods)])(
    '%s says so, and writes nothing',
    async (_, call) => {
      const before = await everyFile();
      await expect(call(cancelled)).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(await everyFile()).toEqual(before);
    },
  );
});

async function onDisks(call: (disk: library.Disk) => Promise<unknown>): Promise<void> {
  await expect(call(disks[0]!)).rejects.toMatchObject({ code: 'CANCELLED' });
  await call(disks[1]!);
}

/** Path, inode, size and time of everything. */
async function everyFile(): Promise<string[]> {
  const names = await readdir(temp.path, { recursive: true });
  return await Promise.all(
    names.sort().map(async (name) => {
      const { ino, size, mtimeNs } = await stat(join(temp.path, name), { bigint: true });
      return `${name} ${ino} ${size} ${mtimeNs}`;
    }),
  );
}
