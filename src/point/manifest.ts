import { VhdvaultError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { BinaryReader, BinaryWriter, MAX_TEXT } from '../vault/binary.ts';

/** full: compared with nothing; incremental: with the latest point; differential: with the last full one. */
export type PointType = 'full' | 'incremental' | 'differential';
/** crash: as after a power cut; file: file systems were flushed; app: applications, too. */
export type Consistency = 'crash' | 'file' | 'app';
export interface Counts {
  read: number;
  changed: number;
  stored: number;
}

/** One disk of a point. Sizes in bytes, root in hex. */
export interface ManifestDisk {
  name: string;
  source: {
    address: string;
    format: string;
    blockSize: number | null;
    uniqueId: string | null;
    creator: string | null;
    /** Folders in which its parents may lie, as they were given. */
    parentRoots: string[];
  };
  size: number;
  blockSize: number;
  root: string;
  pages: number;
  blocks: Counts;
  bytes: Counts;
}

/** What `--pre` and `--post` came to; pending: `--post` had not ended when this was written. */
export interface Hooks {
  outcome: 'none' | 'succeeded' | 'failed' | 'pending';
  /** The end of what they printed. */
  output: string;
}

/** What became known once `--post` had run: of the two, it takes the manifest's place. */
export interface PointLabel {
  consistency: Consistency;
  hooks: Hooks;
}

/** A recovery point, complete on its own (J6). Times are milliseconds since 1970 UTC. */
export interface Manifest {
  item: string;
  type: PointType;
  base: string | null;
  consistency: Consistency;
  started: number;
  hooks: Hooks;
  tags: string[];
  note: string;
  bootDisk: string;
  reason: string;
  disks: ManifestDisk[];
}

const TYPES = ['full', 'incremental', 'differential'] as const;
const CONSISTENCIES = ['crash', 'file', 'app'] as const;
const OUTCOMES = ['none', 'succeeded', 'failed', 'pending'] as const;
const NO_ID = '0'.repeat(32);
const MAX_TAGS = 255;
const MAX_TAG = 64;
const MAX_ROOTS = 255;

/**
 * What the caller may say about a point must fit into its manifest; asked before anything is read.
 * @throws USAGE
 */
export function checkWords({ tags, note }: Pick<Manifest, 'tags' | 'note'>): void {
  const long = tags.find((tag) => Buffer.byteLength(tag) > MAX_TAG);
  if (long !== undefined) {
    throw new VhdvaultError('USAGE', `the tag "${long}" is longer than ${MAX_TAG} bytes`, { hint: 'shorten it' });
  }
  if (tags.length > MAX_TAGS) {
    throw new VhdvaultError('USAGE', `${tags.length} tags are more than ${MAX_TAGS}`, { hint: 'use fewer' });
  }
  if (Buffer.byteLength(note) <= MAX_TEXT) return;
  throw new VhdvaultError('USAGE', `the note is longer than ${MAX_TEXT} bytes`, { hint: 'shorten it' });
}

/** The same of the folders of parents. @throws USAGE */
export function checkParentRoots(roots: readonly string[]): void {
  if (roots.length <= MAX_ROOTS && roots.every((root) => Buffer.byteLength(root) <= MAX_TEXT)) return;
  throw new VhdvaultError('USAGE', `${roots.length} folders of parents are too many, or one is too long`, {
    hint: `name at most ${MAX_ROOTS} by --parent-root`,
  });
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { item, type, base, consistency, started, hooks, tags, note, bootDisk, reason, disks } = manifest;
  const out = new BinaryWriter()
    .text(item)
    .u8(TYPES.indexOf(type) + 1)
    .u8(base === null ? 0 : 1)
    .bytes(fromHex(base ?? '0'.repeat(16)))
    .u8(CONSISTENCIES.indexOf(consistency) + 1)
    .u64(started)
    .u8(OUTCOMES.indexOf(hooks.outcome))
    .text(hooks.output)
    .u8(tags.length);
  for (const tag of tags) out.text(tag);
  out.text(note).text(bootDisk).text(reason).u16(disks.length);
  for (const disk of disks) encodeDisk(out, disk);
  return out.finish();
}

function encodeDisk(
  out: BinaryWriter,
  { name, source, size, blockSize, root, pages, blocks, bytes }: ManifestDisk,
): void {
  out.text(name).text(source.address).text(source.format);
  out
    .u32(source.blockSize ?? 0)
    .bytes(fromHex(source.uniqueId ?? NO_ID))
    .text(source.creator ?? '')
    .u8(source.parentRoots.length);
  for (const root of source.parentRoots) out.text(root);
  out.u64(size).u32(blockSize).bytes(fromHex(root)).u64(pages);
  out.u64(blocks.read).u64(blocks.changed).u64(blocks.stored);
  out.u64(bytes.read).u64(bytes.changed).u64(bytes.stored);
}

/** @throws VAULT_DAMAGED; `where` names the log entry in it */
export function parseManifest(stored: Uint8Array, where: string): Manifest {
  const fail = failing(`the manifest in ${where}`, where);
  const from = new BinaryReader(stored, fail);
  const pick = picking(fail);
  const item = from.text();
  const type = pick(TYPES, from.u8() - 1);
  const hasBase = from.u8() === 1;
  const basePoint = from.hex(8);
  const consistency = pick(CONSISTENCIES, from.u8() - 1);
  const started = from.u64();
  const hooks = { outcome: pick(OUTCOMES, from.u8()), output: from.text() };
  const tags = Array.from({ length: from.u8() }, () => from.text());
  const note = from.text();
  const bootDisk = from.text();
  const reason = from.text();
  const disks = Array.from({ length: from.count(from.u16(), 100) }, () => parseDisk(from));
  from.end();
  return {
    item,
    type,
    base: hasBase ? basePoint : null,
    consistency,
    started,
    hooks,
    tags,
    note,
    bootDisk,
    reason,
    disks,
  };
}

export function encodeLabel({ consistency, hooks }: PointLabel): Uint8Array {
  const out = new BinaryWriter().u8(CONSISTENCIES.indexOf(consistency) + 1);
  return out.u8(OUTCOMES.indexOf(hooks.outcome)).text(hooks.output).finish();
}

/** @throws VAULT_DAMAGED; `where` names the log entry of the point */
export function parseLabel(stored: Uint8Array, where: string): PointLabel {
  const fail = failing(`the label of the point in ${where}`, where);
  const from = new BinaryReader(stored, fail);
  const pick = picking(fail);
  const consistency = pick(CONSISTENCIES, from.u8() - 1);
  const hooks = { outcome: pick(OUTCOMES, from.u8()), output: from.text() };
  from.end();
  return { consistency, hooks };
}

type Fail = (what: string) => VhdvaultError;

function failing(of: string, path: string): Fail {
  return (what) =>
    new VhdvaultError('VAULT_DAMAGED', `${of} ${what}`, { hint: 'run `vhdvault verify`', details: { path } });
}

function picking(fail: Fail): <T>(choices: readonly T[], n: number) => T {
  return (choices, n) => {
    const choice = choices[n];
    if (choice === undefined) throw fail(`has an unknown value ${n}`);
    return choice;
  };
}

function parseDisk(from: BinaryReader): ManifestDisk {
  const name = from.text();
  const address = from.text();
  const format = from.text();
  const imageBlock = from.u32();
  const uniqueId = from.hex(16);
  const creator = from.text();
  const parentRoots = Array.from({ length: from.u8() }, () => from.text());
  const counts = (): Counts => ({ read: from.u64(), changed: from.u64(), stored: from.u64() });
  return {
    name,
    source: {
      address,
      format,
      blockSize: imageBlock || null,
      uniqueId: uniqueId === NO_ID ? null : uniqueId,
      creator: creator || null,
      parentRoots,
    },
    size: from.u64(),
    blockSize: from.u32(),
    root: from.hex(32),
    pages: from.u64(),
    blocks: counts(),
    bytes: counts(),
  };
}
