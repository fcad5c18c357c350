/** A program of somebody else, in strict TypeScript: it only has to compile against the types of the package. */
export const consumer: string = `
import {
  backup, convertImage, createVault, diff, imageFacts, isError, items, openDisk, openPoint, openVault, points, previewBackup,
  restore, scrub, show, stats, verify, VhdvaultError,
} from 'vhdvault';
import type {
  BackupOptions, BackupResult, Cancellable, DiffResult, Disk, DiskArgument, ErrorCode, Extent, Finding, InitResult, ItemsResult,
  PointsResult, Progress, RestoreResult, ScrubResult, SessionOptions, ShowResult, StatsResult, VaultSession, VerifyResult,
} from 'vhdvault';
import * as parser from 'vhdvault/vhd-parser';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Equal<A, B> extends true ? [] : ['these types differ']): void => undefined;

const cancellable: Cancellable = { signal: AbortSignal.timeout(1000) };
const options: SessionOptions = { passphrase: process.env.VAULT_PASSPHRASE, threads: 2, ...cancellable };
const created: InitResult = await createVault('/vault', { ...options, blockSize: 65536, compression: 'zstd' });
await using session: VaultSession = await openVault('/vault', { keyFile: '/key', onNotice: (text: string) => console.log(text) });
same<typeof session.address, string>();

// @ts-expect-error: the secret stands in the options themselves
await openVault('/vault', { secret: { passphrase: 'x' } });
// @ts-expect-error: parts are for the tests of vhdvault
await openVault('/vault', { parts: {} });
// @ts-expect-error: what a session is made of is nobody's business
console.log(session.vault);

const disks: DiskArgument[] = ['os.vhd', 'data=/d.raw', { name: 'x', address: { kind: 'file', path: '/x', format: 'raw' } }];
const how: BackupOptions = { type: 'incremental', tags: ['a'], ...cancellable, onProgress: ({ done, total, disks }: Progress) => console.log(done / total, disks[0]?.name) };
const made = await backup(session, 'web01', disks, how);
same<typeof made, BackupResult>();
same<typeof made.bytes.stored, number>();
same<typeof made.type, 'full' | 'incremental' | 'differential'>();
// @ts-expect-error: no such type
await backup(session, 'web01', disks, { type: 'fast' });
const seen = await previewBackup(session, 'web01', disks, how);
same<typeof seen.dryRun, true>();

const listed = await points(session, 'web01', { tags: ['a'], ...cancellable });
same<typeof listed, PointsResult>();
const protectedItems = await items(session, cancellable);
same<typeof protectedItems, ItemsResult>();
const shown = await show(session, 'web01', cancellable);
same<typeof shown, ShowResult>();
const counted = await stats(session, cancellable);
same<typeof counted, StatsResult>();
const compared = await diff(session, 'web01', 'web01@latest', { disk: 'os', ...cancellable });
same<typeof compared, DiffResult>();
same<(typeof compared.disks)[number]['changed'], { offset: number; length: number }[]>();
const restored = await restore(session, 'web01', { to: '/x.vhd', format: 'fixed', ...cancellable });
same<typeof restored, RestoreResult>();
const checked = await verify(session, { readData: true, ...cancellable });
same<typeof checked, VerifyResult>();
for (const finding of checked.findings) console.log((finding satisfies Finding).what, finding.points.length, finding.ranges[0]?.disk);
const sampled = await verify(session, { sample: 10, ...cancellable });
same<typeof sampled, VerifyResult>();
console.log(sampled.sampled?.runs);
const scrubbed = await scrub('/vault', { threads: 2, ...cancellable });
same<typeof scrubbed, ScrubResult>();

await using disk = await openPoint(session, 'web01', 'os', cancellable);
same<typeof disk, Disk>();
await disk.read(0, new Uint8Array(512), cancellable);
await disk.read(0, Buffer.alloc(512));
for await (const extent of disk.extents(0, 512, cancellable)) console.log((extent satisfies Extent).kind === 'zero');

try {
  await using image = await openDisk('/x.vhd', { parentRoots: ['/base'], format: 'vhd', ...cancellable });
  same<typeof image, parser.ImageDisk>();
  same<typeof image.facts.parent, parser.ImageFacts | null>();
} catch (error) {
  if (!isError(error, 'VHD_PARENT_MISSING')) throw error;
  same<typeof error, VhdvaultError>();
  same<typeof error.code, ErrorCode>();
  console.log(error.details.path, error.hint?.length);
  // @ts-expect-error: no such code
  isError(error, 'VHD_PARENT_GONE');
}

const { facts } = await imageFacts('/x.vhd', cancellable);
same<typeof facts, parser.ImageFacts>();
const converted = await convertImage('/x.vhd', '/y.raw', { format: 'raw', ...cancellable });
same<typeof converted, parser.ConvertResult>();
same<typeof parser.openDisk, typeof openDisk>();

await using made1: parser.WritableDisk = await parser.createImage('/a.vhd', { type: 'dynamic', size: 1 << 20, ...cancellable });
await made1.write(0, new Uint8Array(512), cancellable);
await made1.sync(cancellable);
same<typeof made1.facts, parser.ImageFacts>();
// @ts-expect-error: no such type
await parser.createImage('/a.vhd', { type: 'raw', size: 512 });
await using opened: parser.WritableDisk = await parser.openWritable('/a.vhd', { parentRoots: ['/base'], ...cancellable });
const noticed: Finding[] = await parser.checkImage('/a.vhd', cancellable);
console.log(opened.size, noticed[0]?.offset, noticed[0]?.expected, noticed[0]?.found);
const mended = await parser.repairImage('/a.vhd', { dryRun: true, ...cancellable });
same<typeof mended, parser.RepairResult>();
same<typeof mended.actions, parser.RepairAction[]>();
const merged = await parser.mergeImage('/b.avhd', { into: 'base', onProgress: ({ done, total }: parser.MergeProgress) => console.log(done / total) });
same<typeof merged, parser.MergeResult>();
const resized = await parser.resizeImage('/a.vhd', 1 << 21, cancellable);
same<typeof resized, parser.ResizeResult>();
const children: parser.Child[] = await parser.findChildren({ path: '/a.vhd', uniqueId: parser.parseUniqueId(facts.uniqueId!) }, ['/more'], cancellable);
const chain = await parser.imageChain('/b.avhd', cancellable);
same<typeof chain.children, parser.ChainChild[]>();
console.log(children[0]?.uniqueId, chain.children[0]?.facts?.format);

const plan = parser.planImage({ format: 'vhd-dynamic', size: 1 << 20 });
await parser.createPlannedImage('/z.vhd', plan, cancellable);
await using writer: parser.ImageWriter = await parser.openImageWriter('/z.vhd', plan, cancellable);
await writer.write(0, new Uint8Array(512), cancellable);
const footer: parser.Footer = parser.parseFooter(parser.encodeFooter(parser.parseFooter(plan.footer!)));
const header: parser.DynamicHeader = parser.parseDynamicHeader(plan.blocks!.header);
console.log(created.id, footer.currentSize, header.blockSize);
`;
